"""Play a sequence: one step after another, each when the previous one has ended in the server, too.

A request does not end with its response: Django closes connections after it, and a thread ends after its client
has closed the connection. So each step waits for the probe's events for the end of the request, and of the
thread of a closed connection. Then two runs differ only if the server behaves differently.
"""

import os
import time
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from sphinx_djconn.lab.databases.protocols import DatabaseServer
from sphinx_djconn.lab.errors import RunError, StepError
from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.events.state import Thread
from sphinx_djconn.lab.process.port import Port
from sphinx_djconn.lab.steps.barrier import Barrier, Participant
from sphinx_djconn.lab.steps.clients import Client
from sphinx_djconn.lab.steps.connections import Serials
from sphinx_djconn.lab.steps.db_sessions import SessionRecorder
from sphinx_djconn.lab.steps.idle import SAMPLE_INTERVAL, IdleDetector, ThreadState, poll_until
from sphinx_djconn.lab.steps.procfs import ProcessInspector
from sphinx_djconn.scenario.model import Close, DatabaseFault, Reload, Request, Sequence, Step, Together, Wait

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what a server listens on, not we
_READY: Final = 0.1
"""Idle seconds after which a server that listens is assumed to serve."""

_SETTLING: Final = 5.0
"""Seconds to wait for the end of a request or a thread. Some servers never report it."""

_EXIT_TIMEOUT: Final = 1.0
"""Seconds to wait for the kernel to end a thread, after its event."""

_SLEEP_TIMEOUT: Final = 0.5
"""Seconds to wait for the thread of a request to sleep, which it may not do in some servers."""


class Player:
    """Plays one sequence against the server whose events ``collector`` has.

    ``trigger`` is the file that the auto-reloader watches. ``port`` is the server's, if the lab has chosen it.
    ``databases`` are those of the run, if they are on a server.
    """

    def __init__(
        self,
        collector: EventCollector,
        trigger: Path,
        port: Port | None = None,
        databases: DatabaseServer | None = None,
    ) -> None:
        self._collector = collector
        self._state = collector.state
        self._trigger = trigger
        self._port = port
        self._databases = databases
        self._sessions = None if databases is None else SessionRecorder(collector, databases)
        self._inspector = ProcessInspector(collector, trigger.parent)
        self._serials = Serials()
        self._clients: dict[str, Client] = {}
        self._threads: dict[tuple[int, int], ThreadState] = {}
        self._server_reports_ends = True
        self._last_number = 0
        self._has_response = False
        self._last_error = ""
        self._process, self._base_url = 0, ""

    def play(self, sequence: Sequence) -> None:
        """Play all steps. Raises :class:`RunError` with the line of the step that failed."""
        self._wait_for_server()
        texts = sequence.text.splitlines()
        self._collector.emit("begin")
        for index, step in enumerate(sequence.steps):
            text = texts[step.line].strip() if step.line < len(texts) else ""
            self._collector.emit("step", n=index + 1, text=text)
            try:
                self._collector.check(f"the step `{text}`")
                self._play_step(step)
                self._inspector.record()
                if self._sessions is not None:
                    self._sessions.record()
            except RunError as error:
                error.line = step.line if error.line is None else error.line
                raise
        self._collector.drain()
        self._collector.wait_for_missing_events()
        self._collector.emit_read_counts()
        self._collector.check("the end of the sequence")
        self._check_responses(sequence)
        self._collector.emit("end")
        self._collector.wait_for_missing_events()

    def close(self) -> None:
        """Close the clients' connections."""
        for client in self._clients.values():
            client.close()
        for thread in self._threads.values():
            thread.close()

    # One method for each kind of step.

    def _play_step(self, step: Step) -> None:
        match step:
            case Request():
                self._play_request(step)
            case Close():
                self._play_close(step)
            case Together():
                self._play_together(step)
            case Wait():
                self._play_wait(step)
            case Reload():
                self._play_reload(step)
            case DatabaseFault():
                self._play_fault(step)
            case _:
                assert_never(step)

    def _play_request(self, request: Request) -> None:
        for _ in range(request.count):
            number = self._next_number()
            client = self._client(request.client)
            status = client.send(number, request, self._base_url)
            self._finish_request(number, client, request, status)

    def _play_close(self, step: Close) -> None:
        client = self._client(step.client)
        client.close()
        self._wait_for_closed_connections(client)

    def _play_together(self, step: Together) -> None:
        participants = [
            Participant(self._next_number(), request, self._client(request.client))
            for request in step.requests
            for _ in range(request.count)
        ]
        database_pids = tuple if self._databases is None else self._databases.processes
        Barrier(self._collector, self._base_url, self._finish_request, database_pids).run(participants)

    def _play_wait(self, step: Wait) -> None:
        self._collector.wait(lambda: False, "the end of a pause", seconds=step.seconds)

    def _play_reload(self, step: Reload) -> None:
        """Touch the file that the auto-reloader watches, and wait for the new process."""
        old = self._process
        self._collector.wait(
            lambda: old in self._state.watching_processes, "the auto-reloader to watch", seconds=_SETTLING
        )
        os.utime(self._trigger)
        if not self._collector.wait(lambda: old in self._state.ended_processes, "the server's process to end"):
            raise StepError("the server did not reload", line=step.line)
        self._wait_for_server(old)
        for client in self._clients.values():
            client.discard_connection()
            client.pop_closed_connections()

    def _play_fault(self, step: DatabaseFault) -> None:
        if self._databases is None:
            raise StepError(f"no database of this run can do `{step.action}`", line=step.line)
        self._databases.inject_fault(step.action)
        self._collector.emit("db.fault", action=step.action)

    # Requests.

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _client(self, name: str | None) -> Client:
        if name is None:
            return Client("new client", self._collector, self._serials)
        if name not in self._clients:
            self._clients[name] = Client(name, self._collector, self._serials)
        return self._clients[name]

    def _finish_request(self, number: int, client: Client, request: Request, status: int | None) -> None:
        """Wait until the request has ended in the server, and check its status. A new client disconnects."""
        collector, state = self._collector, self._state
        sent = f"`{request.method} {request.path}`"
        if status is None:
            collector.check(f"the response to {sent}")
        collector.drain()
        if number in state.request_processes:
            self._wait_for_end(number, f"the end of {sent} in the server")
        if request.client is None:
            client.close()
        elif status is not None:
            self._wait_for_sleep(client, number)
        self._wait_for_closed_connections(client)
        collector.emit_read_counts()
        if status is None and self._process in state.ended_processes:
            # If it was the server, the supervisor is about to report how it ended, and this raises.
            collector.wait(lambda: False, f"the response to {sent}", seconds=_SETTLING)
        if status is None:
            self._last_error = client.error + self._process_end(number)
        else:
            self._has_response = True
        if request.status is not None and status != request.status:
            result = f"had no response ({self._last_error})" if status is None else f"answered {status}"
            raise StepError(
                f"{sent} was expected to answer {request.status} and {result}; correct the step, or look in "
                "the server's log",
                line=request.line,
            )

    def _process_end(self, number: int) -> str:
        """Return what a message says if the process that handled the request has ended."""
        process = self._state.request_processes.get(number)
        if process is None or process not in self._state.ended_processes:
            return ""
        return f": the server's process that handled it, P{process}, was killed or ended by itself"

    def _check_responses(self, sequence: Sequence) -> None:
        """Raise :class:`StepError` if no request had a response: claims about such a run would be pointless."""
        if self._last_number and not self._has_response:
            first = next(sequence.requests())
            raise StepError(
                f"none of the {self._last_number} requests had a response ({self._last_error}); see that the "
                "server can be reached at the address it listens on, and look in its log",
                line=first.line,
            )

    # The ends of requests, threads and connections.

    def _wait_for_end(self, number: int, what: str) -> None:
        """Wait for the end of a request in the server.

        Some servers never close a response, so the probe does not see the end. A run waits for that once in
        vain. From then on, it is enough that the thread of the request sleeps.
        """
        seconds = _SETTLING
        if not self._server_reports_ends:
            thread = self._thread_state(*self._state.request_threads[number])
            poll_until(lambda: number in self._state.ended_requests or not thread.is_running, _SLEEP_TIMEOUT)
            self._collector.drain()
            seconds = 0
        ended = self._collector.wait(lambda: self._state.has_request_ended(number), what, seconds=seconds)
        self._server_reports_ends = self._server_reports_ends and bool(ended)

    def _wait_for_sleep(self, client: Client, number: int) -> None:
        """Wait until the thread of the request sleeps or has ended.

        A server may close a connection without announcing it, as ``runserver`` did until Django 2.1.3, at the
        end of the request. A client that sends the next one at this moment may find the connection open or not.
        """
        thread = self._state.connection_threads.get(client.open_port or 0)
        thread = thread or self._state.request_threads.get(number)
        if thread is not None:
            state = self._thread_state(*thread)
            poll_until(lambda: not state.is_running, _SLEEP_TIMEOUT)
            client.discard_dropped_connection()

    def _wait_for_closed_connections(self, client: Client) -> None:
        """Wait for the threads and greenlets that served the connections which ``client`` has closed."""
        for port, number in client.pop_closed_connections():
            thread = self._state.connection_threads.pop(port, None)
            if thread is not None:
                self._wait_for_thread(thread)
            greenlet = self._state.request_greenlets.get(number)
            if greenlet is not None:
                self._collector.wait(
                    partial(self._state.has_greenlet_ended, greenlet),
                    "the greenlet of a connection that was closed",
                    seconds=_SETTLING,
                )

    def _wait_for_thread(self, thread: Thread) -> None:
        """Wait for the event of a thread's end, and some microseconds more, until the kernel has ended it.

        Only then, its stack and with it its ident can be reused by the next thread.
        """
        self._collector.wait(
            lambda: self._state.has_thread_ended(thread),
            "the thread of a connection that was closed",
            seconds=_SETTLING,
        )
        state = self._thread_state(*thread)
        poll_until(lambda: not state.exists, _EXIT_TIMEOUT)
        self._threads.pop(state.number).close()

    def _thread_state(self, process: int, thread: int) -> ThreadState:
        """Return the kernel's state of a thread: the same object until the thread has ended."""
        number = self._state.pids.get(process, 0), self._state.native_ids.get((process, thread), 0)
        state = self._threads.get(number)
        if state is not None:
            if state.exists:
                return state
            state.close()
        self._threads[number] = state = ThreadState(number)
        return state

    # The start of a server.

    def _wait_for_server(self, after: int = -1) -> None:
        """Wait until a process later than ``after`` listens. Requests go there from then on."""
        process, host, port = self._wait_for_listener(after)
        self._process = process
        reachable = "127.0.0.1" if host in _ANY_ADDRESS else f"[{host}]" if ":" in host else host
        self._base_url = f"http://{reachable}:{port}"
        self._wait_for_serving(process)

    def _wait_for_listener(self, after: int) -> tuple[int, str, int]:
        """Return the process that listens, 0 if it has no probe, and its address."""
        port = self._port

        def find_listener() -> tuple[int, str, int] | None:
            listeners = (each for each in reversed(self._state.listeners) if each[0] > after)
            return next((each for each in listeners if port is None or each[2] == port.number), None)

        while True:
            # A server in another language sends no event, so the kernel is polled.
            seconds = None if port is None else SAMPLE_INTERVAL
            listener = self._collector.wait(find_listener, "the server to listen", seconds=seconds)
            if listener is not None:
                return listener
            if port is not None and after < 0 and port.is_listened_on():
                return 0, "127.0.0.1", port.number

    def _wait_for_serving(self, process: int) -> None:
        """Wait until the server reports that it serves, or is idle.

        Between binding its socket and serving, a server writes to its log and starts its workers.
        """
        server = IdleDetector(self._state.running_pids, _READY)
        limit = time.monotonic() + _SETTLING
        while not self._collector.wait(
            lambda: process in self._state.serving_processes, "the server", seconds=SAMPLE_INTERVAL
        ):
            if server.sample() or time.monotonic() > limit:
                return
