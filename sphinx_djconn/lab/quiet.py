"""Whether a server has come to rest: what is not served now will not be, unless something changes.

A request that waits while every task of the server sleeps is not one that the server is slow to take:
it is one that it does not take. On Linux, a task that has work is runnable, and says so in /proc, however
loaded the machine is; elsewhere the absence of events must do.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

_SAMPLE: Final = 0.01
QUIET: Final = 0.25
"""Seconds of rest after which a server counts as having come to rest."""


class Rest:
    """Watches the processes that ``pids`` returns; a new one of these for each wait."""

    def __init__(self, pids: Callable[[], Iterable[int]], seconds: float = QUIET) -> None:
        self._pids = pids
        self._seconds = seconds
        self._seen: object = None
        self._since = time.monotonic()

    sample: Final = _SAMPLE

    def __call__(self) -> bool:
        """Return whether nothing has happened in the server for the time given."""
        now = time.monotonic()
        activity = [_activity(pid) for pid in self._pids()]
        if None in activity or activity != self._seen:
            self._seen, self._since = activity, now
        return now - self._since >= self._seconds


def _activity(pid: int) -> list[str] | None:
    """Return how often each task of a process has run; ``None`` while one is running or about to."""
    counts = []
    try:
        for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
            state = task.joinpath("stat").read_text().rpartition(")")[2].split()[0]
            if state in "RD":
                return None
            counts.append(f"{task.name} {task.joinpath('schedstat').read_text()}")
    except OSError:  # a task that ended between two looks, or a system without /proc
        return []
    return counts
