"""Clusters of real servers."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import Engine
from tests.support.database_servers import KINDS, installed


@pytest.fixture(params=KINDS, scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    return installed(request.param)


@pytest.fixture(scope="module")
def clusters(engine: Engine) -> Iterator[Clusters]:
    clusters = Clusters()
    yield clusters
    clusters.close()


@pytest.fixture
def cluster(clusters: Clusters, engine: Engine) -> Cluster:
    """The shared cluster of a kind; a test makes databases with names of its own."""
    return clusters.shared(engine.kind)


@pytest.fixture
def postgresql() -> Engine:
    return installed("postgresql")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name is short enough for sockets, and which another user can enter."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="k") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
