"""Whether a server has come to rest: what is not served now will not be, unless something changes.

A request that waits while every task of the server sleeps is not one that the server is slow to take:
it is one that it does not take. On Linux, a task that has work is runnable, and says so in /proc, however
loaded the machine is; elsewhere the absence of events must do.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

_SAMPLE: Final = 0.01
_COUNTED: Final = 2 * _SAMPLE
"""Seconds between two looks that count at most: who did not look does not know, and perhaps the whole machine
stood still, and what the server waits for did too."""

_STATE: Final = 96
"""Bytes of a task's ``stat`` in which its number, its name and the letter of its state are."""

QUIET: Final = 0.25
"""Seconds of rest after which a server counts as having come to rest."""


_FIRST_PAUSE: Final = 20e-6
_LAST_PAUSE: Final = 1e-3
"""Seconds between two questions, at first and at last; the system makes them some 50 us longer."""

_TICKING: Final = 0.02
"""The share of a processor that a server may use at rest: many look around ten times a second."""

_LOOK: Final = 500_000
"""Nanoseconds of work that one such look may take."""


def _state_in(stat: bytes) -> bytes:
    """Return the letter of a task's state; its name, before that, may have brackets of its own."""
    return stat.rpartition(b") ")[2][:1]


class ThreadState:
    """A thread, by the ``number`` of its process and its own; what the kernel says of it is opened once.

    It is asked after every request, for as long as the server needs: to look its name up each time would
    hold up the ends of processes, which wait until nobody is looking for them.
    """

    def __init__(self, number: tuple[int, int]) -> None:
        self.number = number
        pid, native = number
        try:
            self._fd = os.open(f"/proc/{pid}/task/{native}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # it has ended, or this is a system without /proc
            self._fd = -1

    @property
    def is_there(self) -> bool:
        """Whether it has not ended yet, to the last."""
        return self._state() != b""

    @property
    def is_running(self) -> bool:
        """Whether it has work to do."""
        return self._state() == b"R"

    def _state(self) -> bytes:
        """Return the letter of its state; nothing where it has ended."""
        try:
            return _state_in(os.pread(self._fd, _STATE, 0))
        except OSError:
            return b""

    def close(self) -> None:
        """Let go of what was opened; it counts as ended then."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def ask(test: Callable[[], bool], seconds: float) -> None:
    """Return when ``test()`` is true, or after ``seconds``.

    It asks for what the kernel tells nobody: that a thread has come to rest, or, before Linux 6.9, that one
    has ended. It is asked at once, and then after pauses in which the server can go on: who asked without a
    pause would take from it the processor that it waits for.
    """
    limit, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while not test() and time.monotonic() < limit:
        time.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE)


class IdleDetector:
    """Watches the processes that ``pids`` returns; a new one of these for each wait.

    ``lasted`` is for how many seconds they have done nothing to speak of.
    """

    def __init__(self, pids: Callable[[], Iterable[int]], seconds: float = QUIET) -> None:
        self._pids = pids
        self._seconds = seconds
        self._before: dict[str, int] = {}
        self._since = self._looked = time.monotonic()
        self.lasted = 0.0

    sample: Final = _SAMPLE

    def __call__(self) -> bool:
        """Return whether they have done nothing to speak of for the time given."""
        now = time.monotonic()
        worked = self._worked()
        if worked is None or worked > _LOOK + _TICKING * 1e9 * (now - self._since):
            self._since, self._before, self.lasted = now, {}, 0.0
            self._worked()
        else:
            self.lasted += min(now - self._looked, _COUNTED)
        self._looked = now
        return self.lasted >= self._seconds

    def _worked(self) -> float | None:
        """Return the nanoseconds of work since the rest began; ``None`` while a task is at work."""
        worked = 0.0
        for pid in self._pids():
            tasks = _tasks(pid)
            if tasks is None:
                return None
            for task, nanoseconds in tasks:
                worked += nanoseconds - self._before.setdefault(task, nanoseconds)
        return worked


def _tasks(pid: int) -> list[tuple[str, int]] | None:
    """Return how long each task of a process has run; ``None`` while one is running or about to."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            if _state_in(task.joinpath("stat").read_bytes()) in (b"R", b"D"):
                return None
            found.append((task.name, int(task.joinpath("schedstat").read_text().split()[0])))
    except OSError:  # a task that ended between two looks, or a system without /proc
        return []
    return found
