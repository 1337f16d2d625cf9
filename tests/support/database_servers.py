"""What the tests of clusters share."""

from dataclasses import replace

from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import engine_for
from sphinx_djconn.lab.clusters.engine import Connection, Engine
from tests.support.absence import needed

KINDS = ("postgresql", "mariadb")


def installed(kind: str) -> Engine:
    """Return the engine of ``kind``; skip the test if the server or its driver is not installed."""
    with needed({"postgresql": "PostgreSQL", "mariadb": "MariaDB"}[kind]):
        engine = engine_for(kind)
        engine.find_binaries()
    return engine


def connect(cluster: Cluster, name: str) -> Connection:
    """Return a connection as a project has it."""
    address = replace(cluster._server.application, database=cluster._full_name(name))
    return cluster._engine.connect(address)
