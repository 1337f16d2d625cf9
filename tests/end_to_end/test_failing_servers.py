"""Servers that misbehave: each has its warning, with the end of its log, and leaves nothing behind."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support.building import Built, Docs

MEBIBYTE = 1 << 20

RUNSERVER = """
import sys
from django.core.management import execute_from_command_line
sys.stdout.flush()
execute_from_command_line(["django", "runserver", "127.0.0.1:0", "--noreload"])
"""

EXITS = """
print("<b>reading</b> the configuration")
raise SystemExit("no configuration, & no <i>port</i>")
"""

SILENT = """
import time
print("thinking it over", flush=True)
time.sleep(60)
"""

STUBBORN = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{RUNSERVER}
"""

FLOODING = """
import os
block = b"all work and no play\\n" * 50_000
for _ in range(1000):
    os.write(1, block)
"""

NO_UTF8 = f"""
import os
os.write(1, b"caf\\xe9 \\xff\\xfe \\x00 \\x1b[31mred\\x1b[0m <script>alert(1)</script>\\n")
{RUNSERVER}
"""

DAEMON = f"""
import os, socket, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        time.sleep(60)
    os._exit(0)
os.wait()
{RUNSERVER}
"""

VIEWS = """
def die(request):
    print("so long", flush=True)
    os._exit(5)


def hang(request):
    time.sleep(60)
"""

PAGE = """
    Servers
    =======

    .. djconn:scenario:: good

       browser: GET / as first

    .. djconn:scenario:: exits
       :server: exits

       browser: GET /

    .. djconn:scenario:: is-no-program
       :server: is-no-program

       browser: GET /

    .. djconn:scenario:: is-silent
       :server: is-silent
       :timeout: 1.5

       browser: GET /

    .. djconn:scenario:: dies
       :conn-max-age: 60

       browser: GET /
       # the last one
       browser: GET /die

    .. djconn:scenario:: dies-in-company

       browser: GET /
       together:
           browser: GET /
           new client: GET /die

    .. djconn:scenario:: hangs
       :timeout: 2

       browser: GET /
       browser: GET /hang
       browser: GET / as unreached

    .. djconn:scenario:: is-stubborn
       :server: is-stubborn

       browser: GET /

    .. djconn:scenario:: floods
       :server: floods

       browser: GET /

    .. djconn:scenario:: prints-bytes
       :server: prints-bytes

       browser: GET /

    .. djconn:scenario:: has-a-daemon
       :server: has-a-daemon

       browser: GET /

    .. djconn:scenario:: answers-otherwise
       :conn-max-age: 60
       :runs: 2


       browser: GET /

       browser: GET /missing -> 200

    .. note::

       Within a note:

       .. djconn:scenario:: answers-otherwise-in-a-note
          :conn-max-age: 60

          # a comment

          browser: GET / -> 299

    .. include:: part.txt

    .. djconn:claim:: about-the-dead
       :in: dies
       :expect: requests == 2
       :verdict: unproven

       A sentence that no run can prove.

    .. djconn:claim:: holds
       :in: good
       :expect: first.status == 200

       A sentence that holds.
"""

PART = """
    Included:

    .. djconn:scenario:: answers-otherwise-in-a-part
       :conn-max-age: 60

       browser: GET /
       together:
           browser: GET /
           new client: GET / -> 404
"""


@pytest.fixture(scope="module")
def before() -> "list[object]":
    return [_open_files(), threading.active_count()]


@pytest.fixture(scope="module")
def sizes() -> list[int]:
    return []


@pytest.fixture(scope="module")
def built(shared_docs: Docs, before: list[object], sizes: list[int]) -> Built:
    shared_docs.configure(
        djconn_project=shared_docs.project(views=VIEWS),
        djconn_servers={
            "exits": {"command": ["{python}", "-c", EXITS]},
            "is-no-program": {"command": ["/nowhere/server", "--port", "0"]},
            "is-silent": {"command": ["{python}", "-c", SILENT]},
            "is-stubborn": {"command": ["{python}", "-c", STUBBORN], "stop_seconds": 0.3},
            "floods": {"command": ["{python}", "-c", FLOODING], "log_limit": MEBIBYTE},
            "prints-bytes": {"command": ["{python}", "-c", NO_UTF8]},
            "has-a-daemon": {"command": ["{python}", "-c", DAEMON]},
        },
        djconn_jobs=4,
    )
    shared_docs.page("part.txt", PART)
    shared_docs.page("index", PAGE)
    with watching(shared_docs.temporary, sizes):
        return shared_docs.build()


@contextmanager
def watching(folder: Path, sizes: list[int]) -> Iterator[None]:
    """Collect the size of ``folder`` as long as the block runs."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            sizes.append(_size(folder))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # which passes over what has gone meanwhile
        for name in names:
            with suppress(OSError):
                total += Path(parent, name).stat().st_size
    return total


def _open_files() -> int:
    return psutil.Process().num_fds()


FAILURES = [
    (":: exits", "the server exited with code 1 while the run waited for the server to listen"),
    (":: is-no-program", "the server exited with code 127 while the run waited for the server to listen"),
    (":: is-silent", "while waiting for the server to listen; the last event was `thread.start`, of"),
    ("   browser: GET /die", "the server exited with code 5 while the run waited for"),
    ("   together:", "the server exited with code 5 while the run waited for"),
    ("browser: GET /hang", "stopped by its time limit while waiting for the response to `GET /hang`"),
    (":: floods", "the server wrote more to its log than a run may, and was stopped; reduce its output, or"),
    ("GET /missing -> 200", "`GET /missing` was expected to answer 200 and answered 404; correct the step"),
    ("GET / -> 299", "`GET /` was expected to answer 299 and answered 200"),
]


@pytest.mark.parametrize(("where", "told"), FAILURES)
def test_a_run_that_fails_is_told_at_its_line(built: Built, shared_docs: Docs, where: str, told: str) -> None:
    warning = built.warning("index.rst", shared_docs.line(where), kind="djconn.run")
    assert told in warning.text


def test_a_status_that_differs_is_told_at_its_line_in_a_file_that_is_included(
    built: Built, shared_docs: Docs
) -> None:
    line = shared_docs.line("-> 404", "part.txt")
    warning = built.warning("part.txt", line, kind="djconn.run")
    assert "`GET /` was expected to answer 404 and answered 200" in warning.text


@pytest.mark.parametrize(
    ("where", "log"),
    [
        (":: exits", "    <b>reading</b> the configuration\n    no configuration, & no <i>port</i>"),
        (":: is-no-program", "    /nowhere/server: No such file or directory"),
        (":: is-silent", "    thinking it over"),
        ("   browser: GET /die", "    so long"),
        ("browser: GET /hang", '"GET / HTTP/1.1" 200 2'),
        (":: floods", "    all work and no play\n"),
        ("GET /missing -> 200", '"GET /missing HTTP/1.1" 404'),
    ],
)
def test_the_end_of_the_server_s_log_is_told(built: Built, shared_docs: Docs, where: str, log: str) -> None:
    told = built.warning("index.rst", shared_docs.line(where), kind="djconn.run").text
    assert log in told.partition("the end of the log:")[2]
    assert len(told.splitlines()) <= 22


def test_the_page_shows_why_there_is_no_evidence_and_escapes_it(built: Built) -> None:
    page = built.read("index.html")
    assert "The scenario exits has no evidence: the server exited with code 1" in page
    assert "no configuration, &amp; no &lt;i&gt;port&lt;/i&gt;" in page
    assert "<i>port" not in page


def test_a_server_that_ignores_sigterm_is_killed_and_told_and_its_run_counts(
    built: Built, shared_docs: Docs
) -> None:
    warning = built.warning("index.rst", shared_docs.line(":: is-stubborn"), kind="djconn.run")
    assert "did not end within 0.3 seconds of SIGTERM and was killed; the run is complete" in warning.text
    assert "The scenario is-stubborn has no evidence" not in built.read("index.html")


@pytest.mark.exhaustive
def test_a_server_that_ignores_sigterm_is_told_again_though_it_is_not_run_again(
    built: Built, shared_docs: Docs
) -> None:
    again = shared_docs.build()
    assert "is-stubborn" not in again.ran
    again.warning("index.rst", shared_docs.line(":: is-stubborn"), kind="djconn.run")


def test_a_server_that_prints_a_gigabyte_fills_neither_disk_nor_memory(built: Built, sizes: list[int]) -> None:
    assert MEBIBYTE < max(sizes) < 400 * MEBIBYTE
    assert psutil.Process().memory_info().rss < 400 * MEBIBYTE


def test_bytes_that_are_no_utf8_and_html_are_shown_as_what_they_are(built: Built) -> None:
    page = built.read("index.html")
    assert r"caf\xe9 \xff\xfe  red &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_a_claim_that_no_run_can_prove_is_never_as_declared(built: Built, shared_docs: Docs) -> None:
    warning = built.warning("index.rst", shared_docs.line(":: about-the-dead"), kind="djconn.claim")
    assert "unproven: no run of the scenario `dies` reached its end" in warning.text


def test_all_else_is_as_it_would_be(built: Built) -> None:
    ours = [warning for warning in built.warnings if warning.kind.startswith("djconn.")]
    assert len(ours) == len(FAILURES) + 3, built.errors
    assert "A sentence that holds." in built.read("index.html")


def test_nothing_is_left(built: Built, shared_docs: Docs, before: list[object]) -> None:
    assert shared_docs.left_behind() == []
    assert [_open_files(), threading.active_count()] == before


def test_only_runs_that_came_to_their_end_are_kept(built: Built, shared_docs: Docs) -> None:
    assert len(shared_docs.recordings) == 4  # good, is-stubborn, prints-bytes, has-a-daemon


def test_earlier_recordings_are_unharmed(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(views=VIEWS))
    docs.page("index", ".. djconn:scenario:: good\n\n   browser: GET /\n")
    docs.build()
    kept = {path: path.read_bytes() for path in docs.recordings}
    assert len(kept) == 1
    docs.page("other", "Other\n=====\n\n.. djconn:scenario:: dies\n\n   browser: GET /die\n")
    assert docs.build().ran == ["dies"]
    assert {path: path.read_bytes() for path in docs.recordings} == kept


@pytest.mark.exhaustive
def test_a_run_that_fails_where_an_earlier_one_did_not_leaves_its_recording(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(views=VIEWS))
    docs.page("index", ".. djconn:scenario:: good\n\n   browser: GET /\n")
    docs.build()
    kept = {path: path.read_bytes() for path in docs.recordings}
    docs.project(views="def index(request):\n    os._exit(1)\n")
    failed = docs.build()
    assert failed.ran == ["good"]
    failed.warning("index.rst", docs.line("GET /"), kind="djconn.run")
    assert "has no evidence" in failed.read("index.html")
    assert {path: path.read_bytes() for path in docs.recordings} == kept
    docs.project(views=VIEWS)
    mended = docs.build()
    assert mended.ran == []
    assert "has no evidence" not in mended.read("index.html")


def test_a_limit_of_time_ends_a_run_that_would_wait_longer(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(), djconn_timeout=1)
    docs.page("index", ".. djconn:scenario:: slow\n\n   browser: GET /\n   wait 30s\n")
    begin = time.monotonic()
    warning = docs.build().warning("index.rst", docs.line("wait 30s"), kind="djconn.run")
    assert "stopped by its time limit" in warning.text
    assert time.monotonic() - begin < 10
