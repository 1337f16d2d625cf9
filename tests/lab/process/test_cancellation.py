"""The lab, told to end from another thread."""

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from sphinx_djconn.lab.errors import Cancelled
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from tests.support.building import Docs
from tests.support.choosing import a_few

VIEWS = """
def hang(request):
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "sequence",
    a_few(["browser: GET /hang", "wait 60s", "together:\n  3 x new client: GET /hang"], "browser: GET /hang"),
)
@pytest.mark.parametrize("warm", [True, False])
def test_a_run_ends_at_once_and_no_other_begins(docs: Docs, databases: Path, sequence: str, warm: bool) -> None:
    project = read_project(docs.project(views=VIEWS), docs.source)
    with closing(Laboratory(Profiles(projects={"default": project}), databases, warm=warm)) as laboratory:
        threading.Timer(0.8, laboratory.cancel).start()
        begin = time.monotonic()
        with pytest.raises(Cancelled):
            laboratory.run(Scenario(parse_sequence(sequence)))
        assert time.monotonic() - begin < 5
        with pytest.raises(Cancelled):
            laboratory.run(Scenario(parse_sequence("browser: GET /")))
    assert docs.left_behind() == []


def test_what_is_going_on_is_ended_once_and_what_is_over_is_not() -> None:
    cancellation = Cancellation()
    ended: list[str] = []
    with cancellation.on_cancel(lambda: ended.append("over")):
        pass
    with pytest.raises(Cancelled), cancellation.on_cancel(lambda: ended.append("going on")):
        cancellation.cancel()
    assert ended == ["going on"]
    with pytest.raises(Cancelled):
        cancellation.check()
    with pytest.raises(Cancelled), cancellation.on_cancel(lambda: ended.append("never")):
        ended.append("never")
    assert ended == ["going on"]
