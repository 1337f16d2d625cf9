"""The collector of a run's events, also of those that a probe writes without waking it."""

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
HEADER = {"format": "<qIIIIIB3x", "fields": ["t", "o", "th", "r", "w", "c", "k"], "kinds": ["request.begin"]}


@pytest.fixture
def folder(short_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=short_folder))


@pytest.fixture
def collector(folder: Path) -> Iterator[EventCollector]:
    collector = EventCollector(folder, time.monotonic() + 6.0)
    yield collector
    collector.close()


@pytest.fixture
def process(collector: EventCollector, folder: Path) -> Iterator[Path]:
    """The file of a process with a probe that never wakes the collector."""
    path = folder / "s-1"
    path.write_bytes(bytes(2 * LINES))
    header = {"k": "file", "name": path.name, "lines": LINES, "records": LINES, **HEADER}
    # A second link, because the collector unlinks the first.
    kept = folder / "kept"
    kept.hardlink_to(path)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(collector.address)
        connection.sendall(json.dumps(header).encode() + b"\n")
        yield kept


def test_events_without_a_wake_up_are_read_all_the_same(collector: EventCollector, process: Path) -> None:
    line = json.dumps({"t": 1, "k": "listening", "host": "h", "port": 7}).encode() + b"\n"

    def write() -> None:
        with process.open("r+b") as file:
            file.write(line)

    timer = threading.Timer(0.5, write)
    timer.start()
    assert collector.wait(lambda: collector.state.listeners, "the server to listen")
    timer.join()


def test_a_time_limit_names_the_last_event(collector: EventCollector, process: Path) -> None:
    collector.deadline = time.monotonic() + 0.1
    with pytest.raises(TimeLimitError, match=r"; no Python process of the server has sent an event; raise"):
        collector.wait(lambda: False, "nothing")
    with process.open("r+b") as file:
        file.write(b'{"t": 1, "k": "process.start", "pid": 7, "ppid": 1, "python": "3"}\n')
    with pytest.raises(TimeLimitError, match=r"; the last event was `process.start`, of process P1; "):
        collector.wait(lambda: False, "nothing")


def test_a_run_closes_nothing_that_its_collector_still_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else the collector would read from what other runs have opened since, under the same number."""
    streams: list[socket.socket] = []
    numbers: list[int] = []
    add_supervisor, close = EventCollector.add_supervisor, EventCollector.close

    def adding(collector: EventCollector, stream: socket.socket) -> None:
        streams.append(stream)
        add_supervisor(collector, stream)

    def closing_collector(collector: EventCollector) -> None:
        close(collector)
        numbers.extend(stream.fileno() for stream in streams)

    monkeypatch.setattr(EventCollector, "add_supervisor", adding)
    monkeypatch.setattr(EventCollector, "close", closing_collector)
    with closing(Laboratory(Profiles(), tmp_path)) as laboratory:
        laboratory.run(Scenario(parse_sequence("browser: GET /polls/")))
    assert len(numbers) == 1
    assert numbers[0] >= 0
    assert streams[0].fileno() < 0
