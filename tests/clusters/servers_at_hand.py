"""What the tests of clusters share."""

import os
import sys
from dataclasses import replace

import pytest

from sphinx_djconn.lab.clusters import Cluster
from sphinx_djconn.lab.clusters.clusters import _engine
from sphinx_djconn.lab.clusters.engine import Connection, Engine
from sphinx_djconn.lab.errors import AbsentError

KINDS = ("postgresql", "mariadb")


def installed(kind: str) -> Engine:
    """Return the engine of ``kind``, or skip the test; where CI is set, what is absent is a failure."""
    try:
        engine = _engine(kind)
        engine.binaries()
    except AbsentError as error:
        if os.environ.get("CI") and sys.platform == "linux":  # where it installs them
            raise
        pytest.skip(error.message)
    return engine


def connect(cluster: Cluster, name: str) -> Connection:
    """Return a connection as a project has it."""
    address = replace(cluster._server.application, database=cluster._full(name))
    return cluster._engine.connect(address)
