"""Everything a run hears of: events of the probe, meetings, and what the supervisor reports.

A probe writes events into a file of its process's, and rings over its socket only while somebody waits
here: else a server that handles requests would be held up by waking us for each of them. So whoever begins
to wait first asks for the bell, and then reads what was written before it was asked for. Who waits for
something is woken when it has happened; there is no polling. Waits have the run's deadline, and end early
when the server's process ends or the build is interrupted.
"""

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sphinx_djconn.lab.errors import Cancelled, FloodError, RunError, ServerError, TimeLimitError
from sphinx_djconn.lab.events.reader import EventReader, WakeFlag
from sphinx_djconn.lab.events.state import RunState
from sphinx_djconn.trace.events import check

Value = TypeVar("Value")

_CHUNK: Final = 1 << 16

_WRITING: Final = 1.0
"""Seconds that an event may take to be written once it has its serial; it needs some microseconds."""

_UNHEARD: Final = 2.0
"""Seconds of silence after which is read what nobody rang for: a processor may let a process see that nobody
waits before others see what that process wrote."""


class EventCollector(RunState):
    """Hears what there is to know of a run. All attributes are to be read within :meth:`wait`'s test only."""

    def __init__(self, folder: Path, deadline: float) -> None:
        super().__init__()
        self.address = str(folder / "s")
        self._log = folder / "log"
        self.deadline = deadline
        self.arrived: dict[tuple[int, str], socket.socket] = {}
        self.reports: dict[str, Any] = {}
        self._sources: list[EventReader] = []
        self._waiting = 0
        self._cancelled = False
        self._drains = 0
        self._drained = 0
        self._told: dict[int, int] = {}
        self._processes = 0
        self._condition = threading.Condition()
        self._bell = WakeFlag(self.address)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(socket.SOMAXCONN)
        self._wake, woken = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(woken, selectors.EVENT_READ, "woken")
        self._woken = woken
        self._reader = threading.Thread(target=self._read, name="djconn-feed", daemon=True)
        self._reader.start()

    def add_supervisor(self, stream: socket.socket) -> None:
        """Read the supervisor's reports from ``stream`` too."""
        self._selector.register(stream, selectors.EVENT_READ, EventReader(stream, 0))
        self._wake.send(b"a")

    def emit(self, kind: str, request: int | None = None, **data: Any) -> None:
        """Add an event of the lab's own."""
        try:
            position = self._log.stat().st_size
        except FileNotFoundError:
            position = 0
        event = {"t": time.monotonic_ns(), "k": kind, "p": 0, "o": position, **data}
        if request is not None:
            event["r"] = request
        with self._condition:
            self.events.append(event)

    def wait(
        self,
        test: Callable[[], Value],
        what: str,
        *,
        seconds: float | None = None,
        alive: bool = True,
    ) -> Value | None:
        """Wait until ``test()`` is true and return its value.

        Returns ``None`` after ``seconds``. Raises :class:`TimeLimitError` at the run's deadline,
        :class:`ServerError` when the server's first process has ended (unless ``alive`` is false) and
        :class:`Cancelled` when the build was interrupted.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        with self._condition, self._ringing():
            while True:
                value = test()
                if value:
                    return value
                self._check(what, alive=alive)
                now = time.monotonic()
                if limit is not None and now >= limit:
                    return None
                until = self.deadline if limit is None else min(limit, self.deadline)
                if not self._condition.wait(max(0.0, min(until - now, _UNHEARD))):
                    self._collect()

    @contextmanager
    def _ringing(self) -> Iterator[None]:
        """Hear of events when they happen, and of those now that nobody was told of."""
        self._waiting += 1
        try:
            self._collect()
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._bell.set(waits=False)

    def _collect(self) -> None:
        """Read what the processes have written, after the bell was set for what they write from now on."""
        if self._waiting:
            self._bell.set(waits=True)
        told = []
        try:
            told = [(event, source) for source in self._sources for event in source.events()]
        except (LookupError, TypeError, ValueError, struct.error, OSError) as error:
            self._doubt(error)
        for event, source in sorted(told, key=lambda each: each[0]["t"]):
            self._take(source, event)

    def check(self, what: str) -> None:
        """Raise as :meth:`wait` does where there is no more point in going on."""
        with self._condition:
            self._check(what, alive=True)

    def _check(self, what: str, *, alive: bool) -> None:
        if self._cancelled:
            raise Cancelled
        if self.reports.get("flood"):
            raise FloodError
        if "late" in self.reports or time.monotonic() >= self.deadline:
            raise TimeLimitError(
                f"the run was stopped by its time limit while waiting for {what}; {self._last_heard()}; raise "
                "`:timeout:` or `djconn_timeout`, or find out what the server was doing from its log"
            )
        if alive and "error" in self.reports:
            raise ServerError(f"the server could not be started: {self.reports['error']}")
        if "forged" in self.reports:
            raise RunError(
                "what came from the probe is not what a probe writes, so nothing of this run is evidence; let "
                "the project write neither to the socket of `DJCONN_SOCKET` nor to files beside it "
                f"({self.reports['forged']:.200})"
            )
        if "lost" in self.reports:
            raise ServerError(
                "what watches over the server ended before it, killed perhaps for want of memory; "
                "build again, with fewer scenarios at once (`djconn_jobs`)"
            )
        if alive and "exit" in self.reports:
            raise ServerError(
                f"the server {_ending(self.reports['exit'])} while the run waited for {what}; "
                "the end of its log says why"
            )

    def _last_heard(self) -> str:
        told = [event for event in self.events if event["p"]]
        if not told:
            return "no Python process of the server was heard of"
        return f"the last that was heard is `{told[-1]['k']}`, of process P{told[-1]['p']}"

    def count(self) -> None:
        """Add an event that says how many events of each process were read, if there were any since."""
        with self._condition:
            read = {process: count for process, count in self.read.items() if self._told.get(process) != count}
            self._told.update(read)
        if read:
            self.emit("events.read", processes=sorted(map(list, read.items())))

    def await_missing(self) -> None:
        """Wait for events that are being written, while later ones of their process are there already."""
        self.wait(lambda: not any(self.ahead.values()), "the probe's events", seconds=_WRITING, alive=False)

    def drain(self) -> None:
        """Return when everything that was written before this call has been read."""
        with self._condition:
            self._drains += 1
            mine = self._drains
        self._wake.send(b"d")
        self.wait(lambda: self._drained >= mine, "the probe's events", alive=False)

    def supervisor_is_lost(self, seconds: float) -> bool:
        """Return whether the supervisor was killed: it does not report the end within ``seconds``."""
        with self._condition:
            self._condition.wait_for(lambda: "gone" in self.reports or "lost" in self.reports, seconds)
            return "gone" not in self.reports

    def notify(self) -> None:
        """Make those who wait test again: something outside of the feed has changed."""
        with self._condition:
            self._condition.notify_all()

    def cancel(self) -> None:
        """Make every wait of this run end with :class:`Cancelled`."""
        with self._condition:
            self._cancelled = True
            self._condition.notify_all()

    def release(self, number: int, place: str) -> bool:
        """Let the request go on from ``place``; return whether it was waiting there."""
        with self._condition:
            connection = self.arrived.pop((number, place), None)
        if connection is None:
            return False
        with suppress(OSError):
            connection.send(b"!")
        connection.close()
        return True

    def close(self) -> None:
        """Stop reading, and let go whoever still waits in a meeting."""
        self._wake.send(b"q")
        self._reader.join()
        for connection in self.arrived.values():
            connection.close()
        for source in self._sources:
            source.close()
        self._selector.close()
        self._listener.close()
        self._wake.close()
        self._woken.close()
        self._bell.close()

    # The reader.

    def _read(self) -> None:
        while True:
            asked = b""
            for key, _ in self._selector.select():
                if key.data == "listener":
                    self._accept()
                elif key.data == "woken":
                    asked += self._woken.recv(_CHUNK)
                else:
                    self._hear(key.data)
            if b"d" in asked:
                self._finish_drains(asked.count(b"d"))
            if b"q" in asked:
                return

    def _finish_drains(self, count: int) -> None:
        """Read until nothing is left to be read, and then say so to those who asked."""
        while ready := [key for key, _ in self._selector.select(0) if key.data != "woken"]:
            for key in ready:
                if key.data == "listener":
                    self._accept()
                else:
                    self._hear(key.data)
        with self._condition:
            self._collect()
            self._drained += count
            self._condition.notify_all()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._processes += 1
        source = EventReader(connection, self._processes)
        self._sources.append(source)
        self._selector.register(connection, selectors.EVENT_READ, source)

    def _hear(self, source: EventReader) -> None:
        messages = source.messages()
        with self._condition:
            for message in messages or ():
                self._take(source, message)
            if self._waiting or messages is None:  # else it is read by who waits next, and takes no time now
                self._collect()
            if messages is None:
                self._forget(source)
            self._condition.notify_all()

    def _forget(self, source: EventReader) -> None:
        self._selector.unregister(source.stream)
        if not source.process:
            if "gone" not in self.reports:
                self.reports["lost"] = True
            return
        self.note({"t": time.monotonic_ns(), "k": "process.exit"}, source.process)
        self._sources.remove(source)
        source.close()

    def _take(self, source: EventReader, event: dict[str, Any]) -> None:
        """Note what was heard. What the probe would not say, somebody else has: then nothing is evidence."""
        if source.process == 0:
            self.reports.update(event)
            return
        try:
            if event["k"] == "file":
                source.open(self._log.parent, event)
            elif event["k"] == "meet":
                self.arrived[event["r"], event["at"]] = source.stream
                self._selector.unregister(source.stream)
                self._sources.remove(source)
            else:
                check({"p": source.process, **event})
                self.note(event, source.process)
        except (LookupError, TypeError, ValueError, struct.error, OSError) as error:
            self._doubt(error)

    def _doubt(self, error: Exception) -> None:
        """Note that something else than a probe has written what was read."""
        self.reports.setdefault("forged", f"{type(error).__name__}: {error}")


def _ending(status: int) -> str:
    return f"exited with code {status}" if status >= 0 else f"was ended by signal {-status}"
