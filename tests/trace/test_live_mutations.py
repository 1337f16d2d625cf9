"""A probe that never tells something is found out: by its other events, the kernel, or the clients."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Recording
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.unknown import Unknown
from tests.support.building import Docs, documentation
from tests.support.choosing import a_few
from tests.trace.mutations import false_facts

VIEWS = """
def query(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("queried")
"""
SEQUENCE = "browser: GET /query as a\nnew client: GET /query as b\nbrowser: GET /query as c"

BROKEN = """
    import sys

    recorder = sys.modules.get("_djconn_probe.recorder")
    if recorder is not None:
        write = recorder.Recorder._write

        def broken(self, kind, *args):
            self.channel.without_records()  # what is a record is a line from now on
            if kind != "{kind}":
                write(self, kind, *args)

        recorder.Recorder._write = broken
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> Iterator[Docs]:
    with documentation(tmp_path_factory.mktemp("broken") / "docs", databases) as docs:
        yield docs


def recorded(docs: Docs, databases: Path, kind: str, age: float | None) -> Recording:
    """Return a recording that was made with a probe which tells nothing of ``kind``."""
    name = f"site_{kind.replace('.', '_')}"
    project = docs.project(name, views=VIEWS, settings=BROKEN.format(kind=kind))
    profiles = Profiles(projects={"default": read_project(project, docs.source)})
    with closing(Laboratory(profiles, databases, timeout=60)) as laboratory:
        return laboratory.run(Scenario(parse_sequence(SEQUENCE), conn_max_age=age))


def check(docs: Docs, databases: Path, kind: str, age: float | None) -> None:
    true = facts_of(recorded(docs, databases, "nothing", age).runs[0])
    assert not any(isinstance(figure, Unknown) for figure in true.figures.values())
    broken = recorded(docs, databases, kind, age)
    found = facts_of(broken.runs[0])
    assert false_facts(found, true) == []
    assert found != true
    assert broken.notes or found.unknown_overlaps


@pytest.mark.parametrize(("kind", "age"), a_few([("thread.end", None), ("db.close", 0)], ("db.close", 0)))
def test_what_the_probe_never_tells_makes_no_fact_false(
    site: Docs, databases: Path, kind: str, age: float | None
) -> None:
    check(site, databases, kind, age)


@pytest.mark.exhaustive
@pytest.mark.parametrize("age", [None, 0])
@pytest.mark.parametrize(
    "kind",
    [
        "thread.start",
        "request.begin",
        "request.end",
        "request.view",
        "request.view.end",
        "db.wrapper",
        "db.open",
    ],
)
def test_whatever_the_probe_never_tells_makes_no_fact_false(
    site: Docs, databases: Path, kind: str, age: float | None
) -> None:
    check(site, databases, kind, age)
