"""Committed recordings, and the mode that runs nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn import store
from tests.support.building import Docs

PAGE = """
    Replay
    ======

    .. djconn:scenario:: recorded

       browser: GET / as first

    .. djconn:claim:: answers
       :in: recorded
       :expect: first.status == 200

       It answers.
"""

MORE = """
    .. djconn:scenario:: later

       browser: GET /later
"""

POISON = {"command": ["{python}", "-c", "raise SystemExit('nothing should run')"]}


def configure(docs: Docs, mode: str = "replay", **values: object) -> None:
    docs.configure(djconn_recordings="recordings", djconn_mode=mode, **values)


@pytest.fixture(scope="module")
def checkout(shared_docs: Docs) -> Docs:
    configure(shared_docs, "auto", djconn_project=shared_docs.project())
    shared_docs.page("index", PAGE)
    assert shared_docs.build().warnings == []
    shutil.rmtree(shared_docs.doctrees)
    shutil.rmtree(shared_docs.folder / "html")
    configure(shared_docs, djconn_project=shared_docs.project())
    shared_docs.snapshot()
    return shared_docs


@pytest.fixture
def recorded(checkout: Docs) -> Docs:
    """A checkout of a page and its recordings on a machine that has built nothing yet."""
    checkout.restore()
    return checkout


def recordings(docs: Docs) -> list[Path]:
    return sorted(docs.source.joinpath("recordings").iterdir())


def test_recordings_are_kept_in_the_folder_of_conf_py_and_nowhere_else(recorded: Docs) -> None:
    assert [path.suffix for path in recordings(recorded)] == [".json"]
    assert recorded.recordings == []


def test_replay_shows_what_was_recorded_and_starts_no_process(
    recorded: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", "nothing may be started")
    built = recorded.build()
    assert built.ran == []
    assert built.warnings == []
    assert "djconn-holds" in built.read("index.html")
    assert built.read("index.html").count("djconn-table") > 0


def test_replay_of_what_was_never_recorded_starts_nothing_while_pages_are_read(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(docs, djconn_project=docs.project())
    docs.page("index", PAGE.replace(":: recorded\n", ":: recorded\n       :database: postgresql\n"))
    started: list[str] = []
    popen = subprocess.Popen

    def start(command: Any, *args: Any, **options: Any) -> Any:
        started.append(str(command))
        return popen(command, *args, **options)

    monkeypatch.setattr("subprocess.Popen", start)
    warning = docs.build().warning("index.rst", docs.line("scenario:: recorded"))
    assert "there is no recording of it" in warning.text
    # The version of the database server is asked for: recordings tell theirs.
    assert [command for command in started if "--version" not in command and "--bindir" not in command] == []


def test_replay_needs_no_folder_for_databases(recorded: Docs) -> None:
    recorded.build()
    assert not recorded.doctrees.joinpath("djconn", "databases").exists()


def test_replay_changes_no_recording(recorded: Docs) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in recordings(recorded)}
    recorded.page("index", PAGE.replace("GET / as", "GET /other as"))
    recorded.build()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in recordings(recorded)} == before


def test_replay_says_what_is_missing(recorded: Docs) -> None:
    recorded.page("index", PAGE + MORE)
    built = recorded.build()
    warning = built.warning("index.rst", recorded.line(":: later"), kind="djconn.stale")
    assert warning.text == (
        "djconn:scenario `later`: there is no recording of it, and djconn_mode = 'replay' runs nothing; "
        "build once with djconn_mode = 'auto', and commit the folder of djconn_recordings"
    )
    assert "The scenario later has no evidence: there is no recording of it" in built.read("index.html")
    assert "djconn-holds" in built.read("index.html")


def test_replay_says_what_is_stale_and_shows_it(recorded: Docs) -> None:
    recorded.project(views="# changed\n")
    built = recorded.build()
    warning = built.warning("index.rst", recorded.line(":: recorded"), kind="djconn.stale")
    told = "its recording was made from something else: views.py changed; build once with djconn_mode = 'auto'"
    assert told in warning.text
    assert "djconn-holds" in built.read("index.html")


def test_replay_says_what_was_recorded_with_another_server(docs: Docs) -> None:
    runserver = ["{python}", "-m", "django", "runserver", "127.0.0.1:0", "--noreload"]
    mine = {"mine": {"command": runserver}}
    configure(docs, "auto", djconn_project=docs.project(), djconn_servers=mine)
    docs.page("index", PAGE.replace(":: recorded\n", ":: recorded\n       :server: mine\n"))
    docs.build()
    configure(docs, djconn_project=docs.project(), djconn_servers={"mine": POISON})
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: recorded"), kind="djconn.stale")
    assert "what conf.py says of the server changed" in warning.text
    assert "nothing should run" not in built.errors


def test_replay_says_what_cannot_be_read(recorded: Docs) -> None:
    (path,) = recordings(recorded)
    path.write_text(path.read_text("utf-8")[:-100], "utf-8")
    built = recorded.build()
    warning = built.warning("index.rst", recorded.line(":: recorded"), kind="djconn.stale")
    assert f"the recording {path.name} is cut short, or was changed, and djconn_mode = 'replay'" in warning.text
    claim = built.warning("index.rst", recorded.line(":: answers"), kind="djconn.claim")
    assert "unproven" in claim.text


def test_replay_goes_with_another_machine_s_python_and_packages(recorded: Docs) -> None:
    (path,) = recordings(recorded)
    head, _, runs = path.read_text("utf-8").partition("\n")
    parts = json.loads(head)
    parts["parts"] |= {"python": "3.99", "django": "1.0", "instrument": "other"}
    files = parts["inputs"]["files"]
    files |= {name: "other" for name in files if name.startswith("site-packages:django/")}
    parts["inputs"]["variables"] = {"WHERE": "elsewhere"}
    del parts["seal"]
    parts["seal"] = store._header_digest(parts)
    path.write_text(json.dumps(parts) + "\n" + runs, "utf-8")
    assert recorded.build().warnings == []
    configure(recorded, "auto", djconn_project=recorded.project())
    assert recorded.build().ran == ["recorded"]


def test_replay_goes_with_the_line_ends_of_another_system(recorded: Docs) -> None:
    (path,) = recordings(recorded)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert recorded.build().warnings == []


def test_replay_goes_with_a_checkout_in_another_folder(recorded: Docs) -> None:
    moved = recorded.folder / "moved"
    shutil.copytree(recorded.source, moved / "pages")
    shutil.copytree(recorded.folder / "site", moved / "site")
    out = recorded.folder / "moved-html"
    command = ["-b", "html", "-d", str(recorded.folder / "moved-doctrees"), str(moved / "pages"), str(out)]
    assert recorded.run(command).errors == ""
    recorded.build()
    assert (out / "index.html").read_bytes() == recorded.folder.joinpath("html", "index.html").read_bytes()


def test_the_check_fails_where_replay_misses_something(recorded: Docs) -> None:
    assert recorded.build("djconn").code == 0
    recorded.page("index", PAGE + MORE)
    assert recorded.build("djconn").code == 1


@pytest.mark.exhaustive
def test_a_recording_that_no_page_needs_stays_in_a_folder_that_is_committed(recorded: Docs) -> None:
    configure(recorded, "auto", djconn_project=recorded.project())
    before = recordings(recorded)
    recorded.page("index", PAGE.replace("GET / as", "GET /?other as"))
    recorded.build()
    assert len(recordings(recorded)) == 2
    assert set(before) < set(recordings(recorded))


WINDOWS = """
import os, select, signal, socket, sys
for module, names in (
    (select, ["poll", "epoll", "POLLHUP", "POLLRDHUP", "POLLIN", "POLLERR", "POLLOUT"]),
    (socket, ["AF_UNIX", "send_fds", "recv_fds", "TCP_QUICKACK", "CMSG_SPACE"]),
    (os, ["sched_yield", "killpg", "setsid", "uname"]),
    (signal, ["SIGKILL", "SIGCHLD", "SIGHUP", "SIGPIPE", "set_wakeup_fd"]),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
from sphinx.cmd.build import build_main
sys.exit(build_main(sys.argv[1:]))
"""


def test_replay_needs_nothing_that_windows_lacks(recorded: Docs) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS, *recorded.command()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "djconn-holds" in recorded.folder.joinpath("html", "index.html").read_text("utf-8")
