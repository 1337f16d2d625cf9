"""Runs on database servers that are really there."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.databases import DATABASES, Database
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.reading import Trace
from tests.lab.databases.projects_on_servers import SETTINGS, VIEWS, Run
from tests.support.absence import needed
from tests.support.building import Docs


def needs(kind: str) -> None:
    """Skip a test of a database server of this kind if that, or its driver, is not installed."""
    with closing(Clusters()) as clusters, needed({"postgresql": "PostgreSQL", "mariadb": "MariaDB"}[kind]):
        clusters.shared(kind)


@pytest.fixture(params=["postgresql", "mariadb"], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    needs(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def postgresql() -> str:
    needs("postgresql")
    return "postgresql"


@pytest.fixture
def pool(postgresql: str) -> str:
    """The name of a database with a pool of connections; older versions of Django have none."""
    if tuple(map(int, importlib.metadata.version("django").split(".")[:2])) < (5, 1):
        pytest.skip("pools came with Django 5.1")
    return "postgresql-pool"


@pytest.fixture(scope="module")
def dsn(postgresql: str) -> Iterator[str]:
    """The address of a server of somebody else's, as conf.py names it."""
    with closing(Clusters()) as clusters:
        entry = clusters.shared(postgresql).settings("postgres")
        yield f"postgresql://postgres@:{entry['PORT']}/postgres?host={entry['HOST']}"


@pytest.fixture(scope="module")
def laboratory(shared_docs: Docs, databases: Path, request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    """A laboratory for the tests of a module, whose project has the views above."""
    project = read_project(shared_docs.project(views=VIEWS, settings=SETTINGS), shared_docs.source)
    more: dict[str, Database] = getattr(request.module, "MORE", {})
    profiles = Profiles(projects={"default": project}, databases={**DATABASES, **more})
    with closing(Laboratory(profiles, databases, timeout=60)) as laboratory:
        yield laboratory


@pytest.fixture
def run(laboratory: Laboratory) -> Run:
    """Run a sequence on a database, without garbage collection by default, and return the trace."""

    def run(database: str, sequence: str, **options: Any) -> Trace:
        options = {"garbage_collection": "off", **options}
        (trace,) = laboratory.run(Scenario(parse_sequence(sequence), database=database, **options)).runs
        return trace

    return run
