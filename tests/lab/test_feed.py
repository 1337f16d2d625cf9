"""What a run hears of: also what was written and not rung for."""

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sphinx_djconn.lab.errors import TimeLimitError
from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario

LINES = 1 << 12
TOLD = {"format": "<qIIIIIB3x", "fields": ["t", "o", "th", "r", "w", "c", "k"], "kinds": ["request.begin"]}


@pytest.fixture
def folder(short_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=short_folder))


@pytest.fixture
def feed(folder: Path) -> Iterator[EventCollector]:
    feed = EventCollector(folder, time.monotonic() + 6.0)
    yield feed
    feed.close()


@pytest.fixture
def process(feed: EventCollector, folder: Path) -> Iterator[Path]:
    """The file of a process that has a probe which never rings."""
    path = folder / "s-1"
    path.write_bytes(bytes(2 * LINES))
    told = {"k": "file", "name": path.name, "lines": LINES, "records": LINES, **TOLD}
    # A name for the file that stays: the one that was told is removed.
    kept = folder / "kept"
    kept.hardlink_to(path)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(feed.address)
        connection.sendall(json.dumps(told).encode() + b"\n")
        yield kept


def test_what_nobody_rang_for_is_heard_all_the_same(feed: EventCollector, process: Path) -> None:
    line = json.dumps({"t": 1, "k": "listening", "host": "h", "port": 7}).encode() + b"\n"

    def write() -> None:
        with process.open("r+b") as file:
            file.write(line)

    timer = threading.Timer(0.5, write)
    timer.start()
    assert feed.wait(lambda: feed.listening, "the server to listen")
    timer.join()


def test_a_time_limit_says_what_was_heard_last(feed: EventCollector, process: Path) -> None:
    feed.deadline = time.monotonic() + 0.1
    with pytest.raises(TimeLimitError, match=r"; no Python process of the server was heard of; raise"):
        feed.wait(lambda: False, "nothing")
    with process.open("r+b") as file:
        file.write(b'{"t": 1, "k": "process.start", "pid": 7, "ppid": 1, "python": "3"}\n')
    with pytest.raises(TimeLimitError, match=r"; the last that was heard is `process.start`, of process P1; "):
        feed.wait(lambda: False, "nothing")


def test_a_run_closes_nothing_that_its_feed_still_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else the feed would read from what other runs have opened since, under the same number."""
    streams: list[socket.socket] = []
    numbers: list[int] = []
    add_supervisor, close = EventCollector.add_supervisor, EventCollector.close

    def adding(feed: EventCollector, stream: socket.socket) -> None:
        streams.append(stream)
        add_supervisor(feed, stream)

    def closing_feed(feed: EventCollector) -> None:
        close(feed)
        numbers.extend(stream.fileno() for stream in streams)

    monkeypatch.setattr(EventCollector, "add_supervisor", adding)
    monkeypatch.setattr(EventCollector, "close", closing_feed)
    with closing(Laboratory(Profiles(), tmp_path)) as laboratory:
        laboratory.run(Scenario(parse_sequence("browser: GET /polls/")))
    assert len(numbers) == 1
    assert numbers[0] >= 0
    assert streams[0].fileno() < 0
