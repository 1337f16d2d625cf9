"""A run that is forked from a warm process is a run that was started from the command line."""

import json
import os
import re
import shutil
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psutil
import pytest
from building import Docs
from few_pages import write_pages
from sphinx.cmd.build import build_main

from sphinx_djconn.lab.errors import ServerError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all runs start from the shell")

ROOT = Path(__file__).parents[2]
OF_THE_MACHINE = frozenset({"t", "pid", "ppid", "ident", "inode", "native", "port", "s", "size"})
"""What differs from run to run however they start. (A size: the count that ``/collect/`` answers; ``s`` counts
events of :data:`BY_CHANCE` too.)"""

BY_CHANCE = frozenset({"db.collected", "reloader.watching", "events.read", "processes.seen"})
"""Kinds of events that depend on when Python's garbage collector or a clock runs, or that count all others."""

KEEP_ALIVE = Scenario(parse_sequence("3 x browser: GET /polls/"), conn_max_age=None)


def built(docs: Path, folder: Path, *, warm: bool) -> Path:
    """Build ``docs``, pages of this project, and return the folder of their recordings.

    From the shell, a server that is never forked is not started again.
    """
    recordings = folder / "doctrees" / "djconn" / "recordings"
    if not warm:
        recordings.mkdir(parents=True)
        for recording in folder.with_name("warm").joinpath("doctrees/djconn/recordings").iterdir():
            if not settings(recording)["Command"].startswith("python -m django"):
                shutil.copy(recording, recordings)
    code = build_main(
        [
            "-q",
            "-b",
            "djconn",
            "-d",
            str(folder / "doctrees"),
            "-D",
            f"djconn_warm={int(warm)}",
            str(docs),
            str(folder / "out"),
        ]
    )
    assert code == 0
    return recordings


def settings(recording: Path) -> dict[str, str]:
    """Return what the server of a recording was started with."""
    _, first, *_ = recording.read_text("utf-8").splitlines()
    found: dict[str, str] = json.loads(first)["settings"]
    return found


def shown(log: list[str]) -> list[str]:
    """Return the lines of a server's log, without the sizes of pages that describe an error.

    Whether a client still reads why the database server has ended its session is by chance.
    """
    return [re.sub(r'(" 500) \d+$', r"\1", line) for line in log]


def told(run: dict[str, Any]) -> dict[tuple[Any, ...], list[Any]]:
    """Return what each thread of each process did in its own order, and what each client saw.

    The server writes its log, and clients read responses, at the same time: whichever is first, it is by
    chance how long the log is when a client does something.
    """
    stories = defaultdict(list)
    for event in run["events"]:
        if event["k"] in BY_CHANCE:
            continue
        kept = {key: value for key, value in event.items() if key not in OF_THE_MACHINE}
        if "sessions" in kept:
            kept["sessions"] = sorted(state for _, state in kept["sessions"])
        if event["p"] == 0 or event["k"] == "thread.end":  # while other threads write into the log
            kept.pop("o", None)
            stories[0, event["k"], event.get("r"), event.get("h")].append(kept)
        else:
            stories[event["p"], event.get("th", 0)].append(kept)
        if "open_before" in (event.get("json") or ()):
            del kept["json"]["open_before"]
    # The thread in which asgiref waits for another to end is one that the end of the run may come before.
    idle = {"thread.start", "thread.end"}
    return {who: story for who, story in stories.items() if {each["k"] for each in story} - idle}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[Any]:
    """Return what two runs tell otherwise: whose story it is, and the two events that differ."""
    one, other = told(one), told(other)
    return [
        (who, *pair)
        for who in {**one, **other}
        for pair in zip_longest(one.get(who, ()), other.get(who, ()))
        if pair[0] != pair[1]
    ]


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


@pytest.mark.exhaustive
def test_every_scenario_of_the_docs_leaves_the_same_trace_whichever_way_its_server_starts(tmp_path):
    compare(ROOT / "docs", tmp_path, 20)


def test_scenarios_of_a_page_leave_the_same_trace_whichever_way_their_server_starts(tmp_path):
    write_pages(tmp_path / "docs", ("how-it-works", "reviewing"))
    compare(tmp_path / "docs", tmp_path, 5)


def compare(docs: Path, folder: Path, least: int) -> None:
    """Compare the recordings of ``docs``, of which there are to be at ``least`` so many, in both ways."""
    with ThreadPoolExecutor(1) as executor:  # one after the other, in a thread that may fork
        warm = executor.submit(built, docs, folder / "warm", warm=True).result()
        shell = executor.submit(built, docs, folder / "shell", warm=False).result()
    names = sorted(path.name for path in warm.iterdir())
    assert names == sorted(path.name for path in shell.iterdir())
    assert len(names) > least
    for name in names:
        _, *warm_runs = map(json.loads, warm.joinpath(name).read_text().splitlines())
        _, *shell_runs = map(json.loads, shell.joinpath(name).read_text().splitlines())
        for one, other in zip(warm_runs, shell_runs, strict=True):
            assert shown(one["log"]) == shown(other["log"]), name
            assert one["settings"] == other["settings"], name
            assert differences(one, other) == [], name


def test_a_laboratory_starts_a_warm_process(laboratory):
    laboratory.run(KEEP_ALIVE)
    assert warm_process() is not None


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


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_python_prints_when_it_starts_is_in_the_log(tmp_path, monkeypatch, laboratory, stream):
    tmp_path.joinpath("sitecustomize.py").write_text(f"import sys\nprint('hello', file=sys.{stream})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert "hello" in laboratory.run(KEEP_ALIVE).runs[0].log
