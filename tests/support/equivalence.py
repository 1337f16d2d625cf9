"""Compare recordings of the same scenarios that were started in different ways."""

import json
import re
from collections import defaultdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

OF_THE_MACHINE = frozenset({"t", "pid", "ppid", "ident", "inode", "native", "port", "s", "size"})
"""Fields that differ from run to run. (``/collect/`` answers with a ``size``; ``s`` counts all events.)"""

BY_CHANCE = frozenset({"db.collected", "reloader.watching", "events.read", "processes.seen"})
"""Kinds of events that depend on when Python's garbage collector or a clock runs, or that count all others."""


def assert_equivalent(one: Path, other: Path) -> None:
    """Assert that two folders have recordings of the same scenarios, with the same traces."""
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        _, *runs = map(json.loads, one.joinpath(name).read_text("utf-8").splitlines())
        _, *other_runs = map(json.loads, other.joinpath(name).read_text("utf-8").splitlines())
        for run, other_run in zip(runs, other_runs, strict=True):
            assert comparable_log(run) == comparable_log(other_run), name
            assert run["settings"] == other_run["settings"], name
            assert differences(run, other_run) == [], name


def settings_of(recording: Path) -> dict[str, str]:
    """Return the settings that the server of a recording was started with."""
    _, first, *_ = recording.read_text("utf-8").splitlines()
    settings: dict[str, str] = json.loads(first)["settings"]
    return settings


def comparable_log(run: dict[str, Any]) -> list[str]:
    """Return the lines of the server's log, without the sizes of pages that describe an error.

    Whether a client still reads why the database server ended its session is a matter of chance.
    """
    return [re.sub(r'(" 500) \d+$', r"\1", line) for line in run["log"]]


def events_by_thread(run: dict[str, Any]) -> dict[tuple[Any, ...], list[Any]]:
    """Return the events of each thread of each process in order, and those of each client.

    The server writes its log while clients read responses, so the length of the log at an event of a client
    is a matter of chance.
    """
    threads = defaultdict(list)
    for event in run["events"]:
        if event["k"] in BY_CHANCE:
            continue
        fields = {key: value for key, value in event.items() if key not in OF_THE_MACHINE}
        if "sessions" in fields:
            fields["sessions"] = sorted(state for _, state in fields["sessions"])
        if event["p"] == 0 or event["k"] == "thread.end":  # while other threads write into the log
            fields.pop("o", None)
            threads[0, event["k"], event.get("r"), event.get("h")].append(fields)
        else:
            threads[event["p"], event.get("th", 0)].append(fields)
        if "open_before" in (event.get("json") or ()):
            del fields["json"]["open_before"]
    # The run may end before the thread in which asgiref waits for another one.
    idle = {"thread.start", "thread.end"}
    return {key: events for key, events in threads.items() if {event["k"] for event in events} - idle}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[Any]:
    """Return the events that differ between two runs, in pairs, each with its thread."""
    first, second = events_by_thread(one), events_by_thread(other)
    if any(event["k"] == "db.collected" for run in (one, other) for event in run["events"]):
        # The collector closed sessions, at moments that differ.
        first, second = (
            {key: events for key, events in each.items() if key[1] != "db.sessions"} for each in (first, second)
        )
    return [
        (thread, *pair)
        for thread in {**first, **second}
        for pair in zip_longest(first.get(thread, ()), second.get(thread, ()))
        if pair[0] != pair[1]
    ]
