"""Play a sequence: one step after another, each when the one before has ended in the server too.

A response that has been read is not the end of a request: Django closes connections after it, and a
thread ends after its client has hung up. So each step waits for the probe's word that the request, and
the thread of a connection that was closed, has ended. Two runs then differ only where the server does.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from sphinx_djconn.lab.errors import RunError, StepError
from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.process.port import Port
from sphinx_djconn.lab.steps.barrier import Barrier, Participant
from sphinx_djconn.lab.steps.clients import Client, Serials
from sphinx_djconn.lab.steps.idle import IdleDetector, ThreadState, ask
from sphinx_djconn.lab.steps.procfs import ProcessInspector
from sphinx_djconn.scenario.model import Close, DatabaseFault, Reload, Request, Sequence, Step, Together, Wait

if TYPE_CHECKING:
    from sphinx_djconn.lab.databases.protocols import DatabaseServer
    from sphinx_djconn.lab.steps.db_sessions import SessionRecorder

_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what a server listens on, not we
_READY: Final = 0.1
"""Seconds of rest after which a server that listens is taken to serve."""

_SETTLING: Final = 5.0
"""Seconds to wait for the end of a request or thread that may, in some server, never be told."""

_ENDING: Final = 1.0
"""Seconds to wait for the kernel to end a thread that has told its end."""

_REST: Final = 0.5
"""Seconds to wait for the thread of a request to come to rest, which it may not do in some server."""


def _witness(feed: EventCollector, databases: "DatabaseServer") -> "SessionRecorder":
    from sphinx_djconn.lab.steps.db_sessions import SessionRecorder  # noqa: PLC0415 - most runs have none

    return SessionRecorder(feed, databases)


class Player:
    """Plays one sequence against the server that ``feed`` tells of, at ``port`` where that is given.

    ``databases`` are those of the run, where they are on a server.
    """

    def __init__(
        self,
        feed: EventCollector,
        trigger: Path,
        port: Port | None = None,
        databases: "DatabaseServer | None" = None,
    ) -> None:
        self._feed = feed
        self._trigger = trigger
        self._port = port
        self._databases = databases
        self._witness: SessionRecorder | None = None if databases is None else _witness(feed, databases)
        self._kernel = ProcessInspector(feed, trigger.parent)
        self._ends_are_told = True
        self._serials = Serials()
        self._clients: dict[str, Client] = {}
        self._tasks: dict[tuple[int, int], ThreadState] = {}
        self._number = 0
        self._answered = False
        self._cause = ""
        self._process, self._base_url = 0, ""

    def play(self, sequence: Sequence) -> None:
        """Play all steps; what a step raises has the line of that step.

        Raises :class:`StepError` for one that went otherwise than it says.
        """
        self._await_server()
        texts = sequence.text.splitlines()
        self._feed.emit("begin")
        for index, step in enumerate(sequence.steps):
            text = texts[step.line].strip() if step.line < len(texts) else ""
            self._feed.emit("step", n=index + 1, text=text)
            try:
                self._feed.check(f"the step `{text}`")
                self._step(step)
                self._kernel.look()
                if self._witness is not None:
                    self._witness.look()
            except RunError as error:
                error.line = step.line if error.line is None else error.line
                raise
        self._feed.drain()
        self._feed.await_missing()
        self._feed.count()
        self._feed.check("the end of the sequence")
        self._check_answers(sequence)
        self._feed.emit("end")
        self._feed.await_missing()

    def close(self) -> None:
        """Close what the clients have open."""
        for client in self._clients.values():
            client.hang_up()
        for task in self._tasks.values():
            task.close()

    def _step(self, step: Step) -> None:
        match step:
            case Request(count=count):
                for _ in range(count):
                    self._request(step)
            case Close(client=name):
                client = self._client(name)
                client.hang_up()
                self._settle(client)
            case Together():
                self._together(step)
            case Wait(seconds=seconds):
                self._pause(seconds)
            case Reload():
                self._reload(step)
            case DatabaseFault(action=action):
                if self._databases is None:
                    raise StepError(f"no database of this run can do `{action}`", line=step.line)
                self._databases.inject_fault(action)
                self._feed.emit("db.fault", action=action)
            case _:
                assert_never(step)

    def _client(self, name: str | None) -> Client:
        if name is None:
            return Client("new client", self._feed, self._serials)
        if name not in self._clients:
            self._clients[name] = Client(name, self._feed, self._serials)
        return self._clients[name]

    def _request(self, request: Request) -> None:
        self._number += 1
        client = self._client(request.client)
        status = client.send(self._number, request, self._base_url)
        self._after(self._number, client, request, status)

    def _after(self, number: int, client: Client, request: Request, status: int | None) -> None:
        """End a step: the request has ended in the server, and a new client has hung up."""
        feed = self._feed
        sent = f"`{request.method} {request.path}`"
        if status is None:
            feed.check(f"the response to {sent}")
        feed.drain()
        if number in feed.begun:
            self._await_end(number, f"the end of {sent} in the server")
        if request.client is None:
            client.hang_up()
        elif status is not None:
            self._await_next(client, number)
        self._settle(client)
        feed.count()
        self._answered = self._answered or status is not None
        if status is None and self._process in feed.gone:
            # The supervisor is about to say how the server ended, if it was the server.
            feed.wait(lambda: False, f"the response to {sent}", seconds=_SETTLING)
        if status is None:
            self._cause = client.error + self._handler_ended(number)
        if request.status is not None and status != request.status:
            raise StepError(
                f"{sent} was expected to answer {request.status} and "
                f"{f'had no response ({self._cause})' if status is None else f'answered {status}'}; "
                "correct the step, or look in the server's log",
                line=request.line,
            )

    def _await_end(self, number: int, what: str) -> None:
        """Wait for the end of a request in the server.

        Some servers never close a response, and then nobody sees the end. It is waited for in vain once in a
        run; from then on, it is enough that the thread of the request has nothing to do.
        """
        feed = self._feed
        seconds = _SETTLING
        if not self._ends_are_told:
            task = self._task(*feed.handling[number])
            ask(lambda: number in feed.ended or not task.is_running, _REST)
            feed.drain()
            seconds = 0
        ended = feed.wait(
            lambda: number in feed.ended or feed.begun[number] in feed.gone, what, seconds=seconds
        )
        self._ends_are_told = self._ends_are_told and bool(ended)

    def _handler_ended(self, number: int) -> str:
        """Return what a message says of the process that handled a request, where that has ended."""
        process = self._feed.begun.get(number)
        if process is None or process not in self._feed.gone:
            return ""
        return f": the server's process that handled it, P{process}, was killed or ended by itself"

    def _check_answers(self, sequence: Sequence) -> None:
        """Raise :class:`StepError` where no request had a response: claims about that would be idle."""
        if self._number and not self._answered:
            first = next(sequence.requests())
            raise StepError(
                f"none of the {self._number} requests had a response ({self._cause}); see that the server can "
                "be reached at the address it listens on, and look in its log",
                line=first.line,
            )

    def _settle(self, client: Client) -> None:
        """Wait for the threads and greenlets that served the connections which ``client`` no longer has."""
        for port, number in client.closed_ports():
            serving = self._feed.serving.pop(port, None)
            if serving is not None:
                self._await_thread(*serving)
            greenlet = self._feed.greenlets.get(number)
            if greenlet is not None:
                self._await_greenlet(greenlet)

    def _await_greenlet(self, greenlet: tuple[int, int]) -> None:
        feed = self._feed
        feed.wait(
            lambda: greenlet in feed.ended_greenlets or greenlet[0] in feed.gone,
            "the greenlet of a connection that was closed",
            seconds=_SETTLING,
        )

    def _await_thread(self, process: int, thread: int) -> None:
        feed = self._feed
        feed.wait(
            lambda: (process, thread) in feed.ended_threads or process in feed.gone,
            "the thread of a connection that was closed",
            seconds=_SETTLING,
        )
        self._await_exit(process, thread)

    def _await_exit(self, process: int, thread: int) -> None:
        """Wait the last microseconds until the kernel has ended the thread.

        Python has told its end already, but its stack, and with it its ident, can be taken by the next
        thread only now.
        """
        task = self._task(process, thread)
        ask(lambda: not task.is_there, _ENDING)
        self._tasks.pop(task.number).close()

    def _await_next(self, client: Client, number: int) -> None:
        """Wait until the thread of the request ``number`` has nothing to do, or has ended.

        A server that hangs up without having said so, as ``runserver`` did up to Django 2.1.3, does that when
        the request is over. A client that sends the next one in this moment finds the connection open or not,
        as luck will have it.
        """
        thread = self._feed.serving.get(client.open_port or 0) or self._feed.handling.get(number)
        if thread is None:
            return
        task = self._task(*thread)
        ask(lambda: not task.is_running, _REST)
        client.look()

    def _task(self, process: int, thread: int) -> ThreadState:
        """Return what the kernel knows of a thread: the same one until that has ended."""
        number = self._feed.pids.get(process, 0), self._feed.natives.get((process, thread), 0)
        known = self._tasks.get(number)
        if known is not None:
            if known.is_there:
                return known
            known.close()
        self._tasks[number] = task = ThreadState(number)
        return task

    def _together(self, step: Together) -> None:
        participants = []
        for request in step.requests:
            for _ in range(request.count):
                self._number += 1
                participants.append(Participant(self._number, request, self._client(request.client)))
        beside = tuple if self._databases is None else self._databases.processes
        Barrier(self._feed, self._base_url, self._after, beside).hold(participants)

    def _pause(self, seconds: float) -> None:
        self._feed.wait(lambda: False, "the end of a pause", seconds=seconds)

    def _await_server(self, after: int = -1) -> None:
        """Wait until a process later than ``after`` listens; that is where requests go from then."""
        process, host, port = self._await_listening(after)
        self._process = process
        reached = "127.0.0.1" if host in _ANY else f"[{host}]" if ":" in host else host
        self._base_url = f"http://{reached}:{port}"
        self._await_serving(process)

    def _await_listening(self, after: int) -> tuple[int, str, int]:
        """Return the process that listens, 0 where it has no probe, with its address."""
        feed, port = self._feed, self._port

        def listening() -> tuple[int, str, int] | None:
            found = (each for each in reversed(feed.listening) if each[0] > after)
            return next((each for each in found if port is None or each[2] == port.number), None)

        while True:
            # A server in another language tells nobody: the kernel has to be asked.
            seconds = None if port is None else IdleDetector.sample
            found = feed.wait(listening, "the server to listen", seconds=seconds)
            if found is not None:
                return found
            if port is not None and after < 0 and port.is_listened_on():
                return 0, "127.0.0.1", port.number

    def _await_serving(self, process: int) -> None:
        """Wait until the server says that it serves, or has nothing more to do before it does.

        Between binding its socket and serving it, a server says what it has to say, and starts its workers.
        """
        feed = self._feed
        rest = IdleDetector(lambda: [pid for each, pid in feed.pids.items() if each not in feed.gone], _READY)
        limit = time.monotonic() + _SETTLING
        while not feed.wait(
            lambda: process in feed.serving_processes, "the server", seconds=IdleDetector.sample
        ):
            if rest() or time.monotonic() > limit:
                return

    def _reload(self, step: Reload) -> None:
        """Touch the lab's source file, and wait for the process that takes over."""
        old = self._process
        self._feed.wait(lambda: old in self._feed.watching, "the auto-reloader to watch", seconds=_SETTLING)
        os.utime(self._trigger)
        if not self._feed.wait(lambda: old in self._feed.gone, "the server's process to end"):
            raise StepError("the server did not reload", line=step.line)
        self._await_server(old)
        for client in self._clients.values():
            client.notice_loss()
            client.closed_ports()
