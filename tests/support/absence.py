"""What not every machine has: tests that need it are skipped, with one line for each thing in the summary."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from sphinx_djconn.lab.errors import AbsentError

INSTALLS_EVERYTHING = bool(os.environ.get("CI")) and sys.platform == "linux"
"""Whether all of it is installed, as by ``.ci/run``: then no test may be skipped for its absence."""

NOT_INSTALLED = "is not installed"


def skip_without(what: str, why: str = "") -> NoReturn:
    """Skip a test that needs ``what``; in continuous integration, fail and say ``why``.

    Pytest's summary counts skipped tests by place and words: for each ``what``, it has one line.
    """
    if INSTALLS_EVERYTHING:
        pytest.fail(f"{what} is not installed, and the variable CI is set. {why}", pytrace=False)
    pytest.skip(f"{what} {NOT_INSTALLED}")


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Skip a test that needs ``what`` if that is absent."""
    try:
        yield
    except AbsentError as error:
        skip_without(what, error.message)


def skip_without_python() -> NoReturn:
    """Skip a test that needs another Python; also in continuous integration, which installs no old ones."""
    pytest.skip("there is no Python that an older Django supports")
