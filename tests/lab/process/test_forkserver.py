"""A run that is forked from a warm process is a run that was started from the command line."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.lab.errors import ServerError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from tests.support.building import Docs
from tests.support.choosing import a_few

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all runs start from the shell")

ROOT = Path(__file__).parents[3]
KEEP_ALIVE = Scenario(parse_sequence("3 x browser: GET /polls/"), conn_max_age=None)


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(Profiles(), tmp_path)
    yield laboratory
    laboratory.close()


def warm_process() -> psutil.Process | None:
    """Return the warm process that this one has started, where there is one."""
    for child in psutil.Process().children():
        with suppress(psutil.ZombieProcess):
            if any(word.endswith("forkserver.py") for word in child.cmdline()):
                return child
    return None


def test_a_laboratory_starts_a_warm_process(laboratory):
    laboratory.run(KEEP_ALIVE)
    assert warm_process() is not None


@pytest.mark.exhaustive
def test_a_laboratory_that_is_told_not_to_starts_no_warm_process(tmp_path):
    laboratory = Laboratory(Profiles(), tmp_path, warm=False)
    laboratory.run(KEEP_ALIVE)
    assert warm_process() is None


def test_the_warm_process_ends_with_its_laboratory(laboratory):
    laboratory.run(KEEP_ALIVE)
    process = warm_process()
    laboratory.close()
    assert process is not None
    assert not process.is_running()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_warm_process_is_killed_the_next_run_starts_from_the_shell(laboratory, number):
    laboratory.run(KEEP_ALIVE)
    process = warm_process()
    assert process is not None
    process.send_signal(number)
    process.wait(10)
    recording = laboratory.run(KEEP_ALIVE)
    assert facts_of(recording.runs[0]).figures["db.opened"] == 1


@pytest.mark.exhaustive
def test_nothing_is_forked_from_a_process_that_has_a_second_thread(tmp_path, monkeypatch, laboratory):
    tmp_path.joinpath("sitecustomize.py").write_text(
        "import sys, threading, time\n"
        "if sys.argv[0].endswith('forkserver.py') or 'forkserver.py' in ' '.join(sys.orig_argv):\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    recording = laboratory.run(KEEP_ALIVE)
    process = warm_process()
    assert facts_of(recording.runs[0]).figures["requests"] == 3
    assert process is None or process.children(recursive=True) == []


def test_a_project_that_fails_fails_alike(tmp_path):
    scenario = Scenario(parse_sequence("browser: GET /broken-query/ -> 500"), conn_max_age=None)
    figures = []
    for warm in (True, False):
        laboratory = Laboratory(Profiles(), tmp_path, warm=warm)
        figures.append(facts_of(laboratory.run(scenario).runs[0]).figures)
        laboratory.close()
    assert figures[0] == figures[1]


@pytest.mark.parametrize("deed", ["raise RuntimeError('not now')", "sys.exit('not now')"])
def test_an_error_that_nobody_catches_looks_alike(docs: Docs, databases: Path, deed: str) -> None:
    settings = f"import sys\nif 'runserver' in sys.argv:\n    {deed}\n"
    project = read_project(docs.project(settings=settings), docs.source)
    logs = []
    for warm in (True, False):
        with closing(Laboratory(Profiles(projects={"default": project}), databases, warm=warm)) as laboratory:
            with pytest.raises(ServerError, match="exited with code 1") as raised:
                laboratory.run(Scenario(parse_sequence("browser: GET /")))
            logs.append(raised.value.log)
    assert logs[0] == logs[1]
    assert "not now" in logs[0][-1]


@pytest.mark.parametrize("stream", a_few(["stdout", "stderr"], "stdout"))
def test_what_python_prints_when_it_starts_is_in_the_log(tmp_path, monkeypatch, laboratory, stream):
    tmp_path.joinpath("sitecustomize.py").write_text(f"import sys\nprint('hello', file=sys.{stream})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert "hello" in laboratory.run(KEEP_ALIVE).runs[0].log
