"""Collect what happens in a run: the probe's events, requests at a barrier, and the supervisor's reports.

A probe writes events into a file of its process. It wakes us through its socket only while a thread waits
here, because waking us after each event would slow down the server. So a thread that starts to wait first
enables the wake-ups, and then reads what was written before.

Waits do not poll. They have the run's deadline, and end early if the server ends or the build is cancelled.
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

_WRITE_TIMEOUT: Final = 1.0
"""Seconds for a probe to write an event that has its serial already. It needs some microseconds."""

_POLL_INTERVAL: Final = 2.0
"""Fallback poll interval in seconds. A writer may skip the wake-up because of memory reordering, so unread
events are polled for."""

_INVALID_MESSAGE: Final = (LookupError, TypeError, ValueError, struct.error, OSError)
"""What reading raises if something else than a probe has written."""


class EventCollector:
    """Collects the events of the run in ``folder``, in a thread of its own.

    ``deadline`` is that of the run (``time.monotonic()``). ``state`` and ``reports`` may be read only in the
    tests of :meth:`wait`, or when the server does nothing.
    """

    def __init__(self, folder: Path, deadline: float) -> None:
        self.address = str(folder / "s")
        self.deadline = deadline
        self.state = RunState()
        self.reports: dict[str, Any] = {}
        """What the supervisor has reported, and ``lost`` or ``invalid``."""

        self._log = folder / "log"
        self._held_requests: dict[tuple[int, str], socket.socket] = {}
        self._readers: list[EventReader] = []
        self._waiting_threads = 0
        self._cancelled = False
        self._drains_requested = 0
        self._drains_done = 0
        self._emitted_counts: dict[int, int] = {}
        self._processes = 0
        self._condition = threading.Condition()
        self._wake_flag = WakeFlag(self.address)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(socket.SOMAXCONN)
        self._commands, self._received_commands = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._received_commands, selectors.EVENT_READ, "commands")
        self._thread = threading.Thread(target=self._run, name="djconn-collector", daemon=True)
        self._thread.start()

    def add_supervisor(self, stream: socket.socket) -> None:
        """Read the supervisor's reports from ``stream``, too."""
        self._selector.register(stream, selectors.EVENT_READ, EventReader(stream, 0))
        self._commands.send(b"a")

    def emit(self, kind: str, request: int | None = None, **data: Any) -> None:
        """Append an event of the lab itself."""
        try:
            position = self._log.stat().st_size
        except FileNotFoundError:
            position = 0
        event = {"t": time.monotonic_ns(), "k": kind, "p": 0, "o": position, **data}
        if request is not None:
            event["r"] = request
        with self._condition:
            self.state.events.append(event)

    def emit_read_counts(self) -> None:
        """Append an event with the number of events read of each process, if it has changed."""
        with self._condition:
            counts = {
                process: count
                for process, count in self.state.read_counts.items()
                if self._emitted_counts.get(process) != count
            }
            self._emitted_counts.update(counts)
        if counts:
            self.emit("events.read", processes=sorted(map(list, counts.items())))

    def wait(
        self,
        test: Callable[[], Value],
        what: str,
        *,
        seconds: float | None = None,
        server_must_run: bool = True,
    ) -> Value | None:
        """Wait until ``test()`` is true and return its value.

        Returns ``None`` after ``seconds``. Raises :class:`TimeLimitError` at the run's deadline,
        :class:`ServerError` if the server's first process has ended (unless ``server_must_run`` is false), and
        :class:`Cancelled` if the build was cancelled. ``what`` is what is waited for, in their messages.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        with self._condition, self._wake_ups_enabled():
            while True:
                value = test()
                if value:
                    return value
                self._check(what, server_must_run=server_must_run)
                now = time.monotonic()
                if limit is not None and now >= limit:
                    return None
                until = self.deadline if limit is None else min(limit, self.deadline)
                if not self._condition.wait(max(0.0, min(until - now, _POLL_INTERVAL))):
                    self._read_files()

    @contextmanager
    def _wake_ups_enabled(self) -> Iterator[None]:
        """Enable wake-ups for new events and read the backlog that was written while they were disabled."""
        self._waiting_threads += 1
        try:
            self._read_files()
            yield
        finally:
            self._waiting_threads -= 1
            if not self._waiting_threads:
                self._wake_flag.set(waits=False)

    def _read_files(self) -> None:
        """Read new events from all files, in the order of their times."""
        if self._waiting_threads:
            self._wake_flag.set(waits=True)  # before reading, so that no event is missed
        events = []
        try:
            events = [(event, reader) for reader in self._readers for event in reader.events()]
        except _INVALID_MESSAGE as error:
            self._reject(error)
        for event, reader in sorted(events, key=lambda pair: pair[0]["t"]):
            self._handle(reader, event)

    def check(self, what: str) -> None:
        """Raise as :meth:`wait` does if it is pointless to continue."""
        with self._condition:
            self._check(what, server_must_run=True)

    def _check(self, what: str, *, server_must_run: bool) -> None:
        if self._cancelled:
            raise Cancelled
        if self.reports.get("flood"):
            raise FloodError
        if "late" in self.reports or time.monotonic() >= self.deadline:
            raise TimeLimitError(
                f"the run was stopped by its time limit while waiting for {what}; {self._last_event()}; raise "
                "`:timeout:` or `djconn_timeout`, or find out what the server was doing from its log"
            )
        if server_must_run and "error" in self.reports:
            raise ServerError(f"the server could not be started: {self.reports['error']}")
        if "invalid" in self.reports:
            raise RunError(
                "something else than a probe has sent events, so nothing of this run is evidence; let the "
                "project write neither to the socket of `DJCONN_SOCKET` nor to files beside it "
                f"({self.reports['invalid']:.200})"
            )
        if "lost" in self.reports:
            raise ServerError(
                "the process that supervises the server ended before it, perhaps killed because memory ran "
                "out; build again, with fewer scenarios at once (`djconn_jobs`)"
            )
        if server_must_run and "exit" in self.reports:
            raise ServerError(
                f"the server {_exit_text(self.reports['exit'])} while the run waited for {what}; "
                "the end of its log says why"
            )

    def _last_event(self) -> str:
        events = [event for event in self.state.events if event["p"]]
        if not events:
            return "no Python process of the server has sent an event"
        return f"the last event was `{events[-1]['k']}`, of process P{events[-1]['p']}"

    def wait_for_missing_events(self) -> None:
        """Wait for events that are being written while later ones of their process have been read."""
        self.wait(
            lambda: not self.state.is_event_missing(),
            "the probe's events",
            seconds=_WRITE_TIMEOUT,
            server_must_run=False,
        )

    def drain(self) -> None:
        """Return when everything that was written before this call has been read."""
        with self._condition:
            self._drains_requested += 1
            number = self._drains_requested
        self._commands.send(b"d")
        self.wait(lambda: self._drains_done >= number, "the probe's events", server_must_run=False)

    def supervisor_is_lost(self, seconds: float) -> bool:
        """Return whether the supervisor was killed: it has not reported its end within ``seconds``."""
        with self._condition:
            self._condition.wait_for(lambda: "gone" in self.reports or "lost" in self.reports, seconds)
            return "gone" not in self.reports

    def notify(self) -> None:
        """Make all waits evaluate their tests again, because something outside of the collector has changed."""
        with self._condition:
            self._condition.notify_all()

    def cancel(self) -> None:
        """Make every wait of this run raise :class:`Cancelled`."""
        with self._condition:
            self._cancelled = True
            self._condition.notify_all()

    def is_held(self, number: int, place: str) -> bool:
        """Return whether the request waits at ``place``, which is ``arrival`` or ``departure``."""
        return (number, place) in self._held_requests

    def release(self, number: int, place: str) -> bool:
        """Let the request continue from ``place``. Return whether it waited there."""
        with self._condition:
            connection = self._held_requests.pop((number, place), None)
        if connection is None:
            return False
        with suppress(OSError):
            connection.send(b"!")
        connection.close()
        return True

    def close(self) -> None:
        """Stop reading, and release all requests."""
        self._commands.send(b"q")
        self._thread.join()
        for connection in self._held_requests.values():
            connection.close()
        for reader in self._readers:
            reader.close()
        self._selector.close()
        self._listener.close()
        self._commands.close()
        self._received_commands.close()
        self._wake_flag.close()

    # The thread that reads the sockets.

    def _run(self) -> None:
        while True:
            commands = b""
            for key, _ in self._selector.select():
                if key.data == "listener":
                    self._accept()
                elif key.data == "commands":
                    commands += self._received_commands.recv(_CHUNK)
                else:
                    self._receive(key.data)
            if b"d" in commands:
                self._finish_drains(commands.count(b"d"))
            if b"q" in commands:
                return

    def _finish_drains(self, count: int) -> None:
        """Read until there is nothing left to read, and then wake those who called :meth:`drain`."""
        while ready := [key for key, _ in self._selector.select(0) if key.data != "commands"]:
            for key in ready:
                if key.data == "listener":
                    self._accept()
                else:
                    self._receive(key.data)
        with self._condition:
            self._read_files()
            self._drains_done += count
            self._condition.notify_all()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._processes += 1
        reader = EventReader(connection, self._processes)
        self._readers.append(reader)
        self._selector.register(connection, selectors.EVENT_READ, reader)

    def _receive(self, reader: EventReader) -> None:
        messages = reader.messages()
        with self._condition:
            for message in messages or ():
                self._handle(reader, message)
            if self._waiting_threads or messages is None:  # else the next wait reads the files
                self._read_files()
            if messages is None:
                self._remove(reader)
            self._condition.notify_all()

    def _remove(self, reader: EventReader) -> None:
        """Handle the end of a stream."""
        self._selector.unregister(reader.stream)
        if not reader.process:
            if "gone" not in self.reports:
                self.reports["lost"] = True
            return
        self.state.record({"t": time.monotonic_ns(), "k": "process.exit"}, reader.process)
        self._readers.remove(reader)
        reader.close()

    def _handle(self, reader: EventReader, message: dict[str, Any]) -> None:
        """Handle a message or an event. Reject it if a probe cannot have written it."""
        if reader.process == 0:
            self.reports.update(message)
            return
        try:
            if message["k"] == "file":
                reader.open(self._log.parent, message)
            elif message["k"] == "meet":
                self._held_requests[message["r"], message["at"]] = reader.stream
                self._selector.unregister(reader.stream)
                self._readers.remove(reader)
            else:
                check({"p": reader.process, **message})
                self.state.record(message, reader.process)
        except _INVALID_MESSAGE as error:
            self._reject(error)

    def _reject(self, error: Exception) -> None:
        """Report that something else than a probe has written events, which makes the run fail."""
        self.reports.setdefault("invalid", f"{type(error).__name__}: {error}")


def _exit_text(status: int) -> str:
    return f"exited with code {status}" if status >= 0 else f"was ended by signal {-status}"
