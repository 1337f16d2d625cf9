"""What the tests of environments share: one that is made once, and an index that never answers."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.environments.environments import Environments
from sphinx_djconn.lab.environments.specification import find_specification
from tests.lab.environments.other_builds import use_index


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which some tests make what others find again, whichever process runs them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "environments"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def django52(cache: Path) -> Environment:
    """An environment that no test may change."""
    return Environments(cache).get(find_specification("django-5.2", {}))


@pytest.fixture
def deaf_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An index that accepts connections and never answers: making takes until something ends it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        use_index(monkeypatch, url)
        yield url
