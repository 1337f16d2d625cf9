"""Options of the tests over the whole stack."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how many random runs there are, and where they begin."""
    group = parser.getgroup("random runs")
    group.addoption("--random-runs", type=int, default=40, help="how many random runs are compared")
    group.addoption("--random-seed", type=int, default=0, help="the number of the first one")
    group.addoption("--random-servers", default="", help="the servers, separated by commas; all by default")
