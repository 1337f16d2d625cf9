"""Ctrl-C and SIGKILL at any time of a build: everything that it has started ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.support.building import PROMPTLY, Docs, interrupt
from tests.support.choosing import a_few

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
    os._exit(0)
os.wait()
from django.core.management import execute_from_command_line
execute_from_command_line(["django", "runserver", "127.0.0.1:0", "--noreload"])
"""

DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""

SERVERS = {
    "with-a-daemon": {"command": ["{python}", "-c", DEAF + DAEMON]},
    "silent": {"command": ["{python}", "-c", "import time; open({here!r}, 'w').close(); time.sleep(60)"]},
}

SEQUENCES = {
    "a request": "browser: GET /\nbrowser: GET /hang",
    "requests at once": "together:\n    3 x new client: GET /hang\n    browser: GET /hang",
    "a pause": "browser: GET /here\nwait 60s",
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A file that exists when a run has reached the point at which it is interrupted."""
    return tmp_path / "here"


def hanging(docs: Docs, here: Path, sequence: str, server: str) -> None:
    """Write pages with a scenario that hangs, others that wait for it, and one that would be recorded."""
    views = f"""
    def here(request):
        open({str(here)!r}, "w").close()
        return HttpResponse("here")

    def hang(request):
        here(request)
        time.sleep(60)
    """
    servers = {
        name: {"command": [word.replace("{here!r}", repr(str(here))) for word in each["command"]]}
        for name, each in SERVERS.items()
    }
    docs.configure(djconn_project=docs.project(views=views), djconn_servers=servers, djconn_jobs=2)
    body = sequence.replace("\n", "\n   ")
    docs.page(
        "index",
        f".. djconn:scenario:: hangs\n   :server: {server}\n\n   {body}\n\n"
        + "".join(f".. djconn:scenario:: s{n}\n\n   browser: GET /hang?{n}\n\n" for n in range(6)),
    )


def wait_for(here: Path, process: "subprocess.Popen[str]") -> None:
    limit = time.monotonic() + 20
    while not here.exists():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < limit
        time.sleep(0.02)


def settings_that_hang(docs: Docs, here: Path) -> None:
    docs.configure(
        djconn_project=docs.project(
            settings=f"""
            import time
            open({str(here)!r}, "w").close()
            time.sleep(60)
            """
        ),
        djconn_jobs=3,
    )
    docs.page("index", "".join(f".. djconn:scenario:: s{n}\n\n   browser: GET /{n}\n\n" for n in range(6)))


CASES = [
    ("runserver", "a request"),
    ("runserver", "requests at once"),
    ("runserver", "a pause"),
    ("runserver-reload", "a request"),
    ("with-a-daemon", "a request"),
    ("silent", "a request"),
]
FEW = (("runserver", "a request"), ("with-a-daemon", "a request"))


@pytest.mark.parametrize(("server", "sequence"), a_few(CASES, *FEW))
def test_ctrl_c_in_the_middle_of_a_run_ends_the_build_and_all_it_started(
    docs: Docs, here: Path, server: str, sequence: str
) -> None:
    hanging(docs, here, SEQUENCES[sequence], server)
    with docs.building() as process:
        wait_for(here, process)
        interrupt(process)
    assert docs.left_behind() == []
    assert docs.recordings == []


def test_ctrl_c_while_databases_are_prepared_ends_the_build_and_all_it_started(docs: Docs, here: Path) -> None:
    settings_that_hang(docs, here)
    with docs.building() as process:
        wait_for(here, process)
        interrupt(process)
    assert docs.left_behind() == []


def test_what_was_recorded_before_ctrl_c_is_kept_and_not_run_again(docs: Docs, here: Path) -> None:
    hanging(docs, here, SEQUENCES["a request"], "runserver")
    docs.page("quick", "Quick\n=====\n\n.. djconn:scenario:: quick\n\n   browser: GET /\n   wait 1ms\n")
    with docs.building() as process:
        limit = time.monotonic() + 20
        while not any(path.suffix == ".json" for path in docs.recordings) and time.monotonic() < limit:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=20)
    assert len(docs.recordings) == 1
    docs.page("index", "Index\n=====\n\n.. toctree::\n\n   quick\n")
    assert docs.build().ran == []


@pytest.mark.parametrize(("server", "sequence"), a_few(CASES, *FEW))
def test_sigkill_in_the_middle_of_a_run_ends_all_that_was_started(
    docs: Docs, here: Path, server: str, sequence: str
) -> None:
    hanging(docs, here, SEQUENCES[sequence], server)
    with docs.building() as process:
        wait_for(here, process)
        assert len(docs.processes()) > 2
        process.kill()
        assert docs.left_behind(PROMPTLY) == []


def test_sigkill_while_databases_are_prepared_ends_all_that_was_started(docs: Docs, here: Path) -> None:
    settings_that_hang(docs, here)
    with docs.building() as process:
        wait_for(here, process)
        process.kill()
        assert docs.left_behind(PROMPTLY) == []


@pytest.mark.parametrize("jobs", a_few(["1", "3"], "1"))
def test_sigkill_while_pages_are_read_ends_the_process_that_has_imported_django(
    docs: Docs, here: Path, jobs: str
) -> None:
    docs.configure(djconn_project=docs.project())
    conf = docs.source / "conf.py"
    slow = f"""
import time

def setup(app):
    app.connect("source-read", read)

def read(*args):
    open({str(here)!r}, "w").close()
    time.sleep(60)
"""
    conf.write_text(conf.read_text("utf-8") + slow, "utf-8")
    for number in range(8):
        docs.page(f"page{number}", f".. djconn:scenario:: s{number}\n\n   browser: GET /\n")

    def warm() -> list[str]:
        return [command for command in map(_command, docs.processes()) if "forkserver.py" in command]

    with docs.building("html", "-j", jobs) as process:
        wait_for(here, process)
        assert warm()
        process.kill()
        limit = time.monotonic() + PROMPTLY
        while warm() and time.monotonic() < limit:
            time.sleep(0.02)
        assert warm() == []
    for reader in docs.processes():  # Sphinx's own, which nobody ends
        reader.kill()
    assert docs.left_behind(PROMPTLY) == []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_sigterm_in_the_middle_of_a_run_ends_all_that_was_started(docs: Docs, here: Path) -> None:
    hanging(docs, here, SEQUENCES["a request"], "with-a-daemon")
    with docs.building() as process:
        wait_for(here, process)
        process.terminate()
        assert docs.left_behind(PROMPTLY) == []


@pytest.mark.exhaustive
def test_a_build_after_one_that_was_killed_is_as_any_other(docs: Docs, here: Path) -> None:
    hanging(docs, here, SEQUENCES["a request"], "runserver")
    with docs.building() as process:
        wait_for(here, process)
        process.kill()
    assert docs.left_behind(PROMPTLY) == []
    docs.page("index", ".. djconn:scenario:: good\n\n   browser: GET /\n")
    built = docs.build()
    assert built.ran == ["good"]
    assert built.warnings == []
