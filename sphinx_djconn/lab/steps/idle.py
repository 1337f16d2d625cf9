"""Detect that a server is idle: what it has not done yet, it will not do unless something changes.

If every server thread is sleeping while a request is still pending, the server is not slow: it will not accept
that request now. On Linux, a thread that has work is runnable, and ``/proc`` shows it, however loaded the
machine is. On other systems, a server is idle if it sends no events.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

SAMPLE_INTERVAL: Final = 0.01
"""Seconds between two samples of an :class:`IdleDetector`."""

_MAX_COUNTED: Final = 2 * SAMPLE_INTERVAL
"""Seconds between two samples that count at most. If we sampled late, the whole machine may have stood still,
including what the server waits for."""

_STAT_SIZE: Final = 96
"""Bytes of a thread's ``stat`` that contain its number, its name and its state."""

QUIET: Final = 0.25
"""Seconds without work after which a server is idle."""

_FIRST_PAUSE: Final = 20e-6
_LAST_PAUSE: Final = 1e-3
"""Seconds between two tests, at first and at last. The system makes a pause some 50 µs longer."""

_IDLE_SHARE: Final = 0.02
"""The share of a processor that an idle server may use. Many wake up ten times a second."""

_IDLE_WORK: Final = 500_000
"""Nanoseconds of work that one such wake-up may take."""


def _parse_state(stat: bytes) -> bytes:
    """Return the letter of a thread's state. The name before it may contain brackets."""
    return stat.rpartition(b") ")[2][:1]


class ThreadState:
    """The state of a thread, by the pid of its process and its native id, ``number``.

    It is read after every request, possibly for as long as the server needs. So its file stays open: a lookup
    by name each time would delay the ends of processes, which wait for such lookups.
    """

    def __init__(self, number: tuple[int, int]) -> None:
        self.number = number
        pid, native_id = number
        try:
            self._fd = os.open(f"/proc/{pid}/task/{native_id}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # it has ended, or this system has no /proc
            self._fd = -1

    @property
    def exists(self) -> bool:
        """Whether the kernel still has the thread."""
        return self._read() != b""

    @property
    def is_running(self) -> bool:
        """Whether it has work to do."""
        return self._read() == b"R"

    def _read(self) -> bytes:
        """Return the letter of its state; nothing if it has ended."""
        try:
            return _parse_state(os.pread(self._fd, _STAT_SIZE, 0))
        except OSError:
            return b""

    def close(self) -> None:
        """Close the file. The thread counts as ended from then on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def poll_until(test: Callable[[], bool], seconds: float) -> None:
    """Return when ``test()`` is true, or after ``seconds``.

    This is for what the kernel does not notify of: that a thread sleeps, or, before Linux 6.9, that it has
    ended. Pauses between the tests leave the processor to the server.
    """
    limit, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while not test() and time.monotonic() < limit:
        time.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE)


class IdleDetector:
    """Detects that the processes of ``pids`` do nothing for some ``seconds``. Use a new one for each wait."""

    def __init__(self, pids: Callable[[], Iterable[int]], seconds: float = QUIET) -> None:
        self._pids = pids
        self._seconds = seconds
        self._start_times: dict[str, int] = {}
        self._idle_since = self._sampled = time.monotonic()
        self.idle_seconds = 0.0
        """For how long they have been idle."""

    def sample(self) -> bool:
        """Take a sample, and return whether they have been idle for long enough."""
        now = time.monotonic()
        work = self._work()
        if work is None or work > _IDLE_WORK + _IDLE_SHARE * 1e9 * (now - self._idle_since):
            self._idle_since, self._start_times, self.idle_seconds = now, {}, 0.0
            self._work()
        else:
            self.idle_seconds += min(now - self._sampled, _MAX_COUNTED)
        self._sampled = now
        return self.idle_seconds >= self._seconds

    def _work(self) -> float | None:
        """Return the nanoseconds of work since they are idle; ``None`` if a thread is running."""
        total = 0.0
        for pid in self._pids():
            times = run_times(pid)
            if times is None:
                return None
            for thread, nanoseconds in times:
                total += nanoseconds - self._start_times.setdefault(thread, nanoseconds)
        return total


def run_times(pid: int) -> list[tuple[str, int]] | None:
    """Return how long each thread of a process has run; ``None`` if one is running or about to."""
    times = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if _parse_state(thread.joinpath("stat").read_bytes()) in (b"R", b"D"):
                return None
            times.append((thread.name, int(thread.joinpath("schedstat").read_text().split()[0])))
    except OSError:  # a thread ended meanwhile, or this system has no /proc
        return []
    return times
