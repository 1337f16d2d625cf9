"""``together``: make requests overlap, reliably.

Each request waits in Django's handler at its arrival, until all others have arrived, and again at its
departure, when its view has returned. Between the two, only one request runs at a time, in the order of the
page. So all requests overlap, and each holds its thread and its database connection while the others run, but
each run has the same order of events. If the database server is private, its work is waited for, too.

A server that accepts fewer requests at once becomes idle while some have not arrived. Then those that have
arrived are one wave, and the others follow in the next.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.steps.clients import Client
from sphinx_djconn.lab.steps.idle import QUIET, SAMPLE_INTERVAL, IdleDetector
from sphinx_djconn.scenario.model import Request

_TOGETHER: Final = "the requests of `together`"
_VIEW_BLOCKED: Final = 4 * QUIET
"""Idle seconds after which a view that has not returned is assumed to wait for another request."""

_DATABASE_TIMEOUT: Final = 10.0
"""Seconds to wait for a database server that works while the server is idle: others may use it all the time."""


@dataclass
class Participant:
    """One request of a ``together`` step, and its progress."""

    number: int
    request: Request
    client: Client
    thread: threading.Thread | None = None
    status: int | None = None
    sent: bool = False
    answered: bool = False
    finished: bool = False
    released: bool = False


class Barrier:
    """Runs one ``together`` step.

    ``finish`` is called when a request was answered, with its number, client, request and status.
    ``database_pids`` returns the processes of the database server that work for the run.
    """

    def __init__(
        self,
        collector: EventCollector,
        base_url: str,
        finish: Callable[[int, Client, Request, int | None], None],
        database_pids: Callable[[], Iterable[int]],
    ) -> None:
        self._collector = collector
        self._base_url = base_url
        self._finish_request = finish
        self._database_pids = database_pids

    def run(self, participants: list[Participant]) -> None:
        """Send all requests, and return when all have finished."""
        try:
            self._send_all(participants)
            while not all(participant.finished for participant in participants):
                self._run_wave(participants)
        finally:
            self._release_all(participants)

    def _send_all(self, participants: list[Participant]) -> None:
        """Send each request when the previous one has arrived.

        Once the server does not accept one, the others are sent without waiting for arrivals.
        """
        accepted = True
        for one in participants:
            self._start(one)
            self._collector.wait(lambda: one.sent or one.answered, "a request to be sent")  # noqa: B023 - at once
            accepted = accepted and self._wait_until(partial(self._has_reached, one, "arrival"))
        if not accepted:
            self._wait_until(lambda: all(self._has_reached(one, "arrival") for one in participants))

    def _run_wave(self, participants: list[Participant]) -> None:
        """Run the views of the requests that have arrived, one by one, and then let them depart, one by one."""
        self._collector.wait(
            lambda: any(
                one.answered or self._is_at(one, "arrival") or self._is_at(one, "departure")
                for one in participants
                if not one.finished
            ),
            "a request of `together` to arrive",
        )
        for one in [one for one in participants if self._is_at(one, "arrival")]:
            one.released = True
            self._collector.release(one.number, "arrival")
            self._wait_until(partial(self._has_reached, one, "departure"))
            self._collector.drain()
            self._collector.emit_read_counts()  # proves that its view ended before the next one began
        inside = [one for one in participants if one.released and not one.finished]
        self._wait_until(lambda: all(self._has_reached(one, "departure") for one in inside), _VIEW_BLOCKED)
        for one in participants:
            if self._is_at(one, "departure") or (one.answered and not one.finished):
                queued = [
                    each for each in participants if not (each.released or self._has_reached(each, "arrival"))
                ]
                self._collector.release(one.number, "departure")
                if self._can_answer(one, participants):
                    self._finish(one)
                    self._wait_for_next(queued)

    def _can_answer(self, one: Participant, participants: list[Participant]) -> bool:
        """Return whether the server can send the response now.

        An event loop that runs the views, as Tornado's does, can't send it while another request waits at its
        arrival. That one belongs to the next wave, and the response follows then.
        """
        if self._wait_until(lambda: one.answered, _VIEW_BLOCKED):
            return True
        return not any(self._is_at(each, "arrival") for each in participants)

    def _wait_for_next(self, queued: list[Participant]) -> None:
        """Wait until one of the requests that are still ``queued`` reaches Django."""
        if queued:
            self._wait_until(lambda: any(self._has_reached(one, "arrival") for one in queued))

    def _finish(self, one: Participant) -> None:
        self._collector.wait(lambda: one.answered, f"the response to `{one.request.method} {one.request.path}`")
        one.finished = True
        self._finish_request(one.number, one.client, one.request, one.status)

    def _is_at(self, one: Participant, place: str) -> bool:
        return self._collector.is_held(one.number, place)

    def _has_reached(self, one: Participant, place: str) -> bool:
        return one.answered or self._is_at(one, place)

    def _wait_until(self, test: Callable[[], bool], seconds: float = QUIET) -> bool:
        """Wait until ``test()`` is true or the server is idle for ``seconds``. Return which, as a boolean."""
        pids = self._collector.state.running_pids()
        server, database = IdleDetector(lambda: pids, seconds), IdleDetector(self._database_pids, seconds)
        while not self._collector.wait(test, _TOGETHER, seconds=SAMPLE_INTERVAL):
            server_is_idle, database_is_idle = server.sample(), database.sample()
            if server_is_idle and (database_is_idle or server.idle_seconds >= _DATABASE_TIMEOUT):
                # We may have been slow, so read what the server has done by now.
                self._collector.drain()
                return bool(self._collector.wait(test, _TOGETHER, seconds=0))
        return True

    def _start(self, one: Participant) -> None:
        one.thread = threading.Thread(target=self._send, args=(one,), name="djconn-client")
        one.thread.daemon = True
        one.thread.start()

    def _send(self, one: Participant) -> None:
        def on_sent() -> None:
            one.sent = True
            self._collector.notify()

        one.status = one.client.send(one.number, one.request, self._base_url, together=True, on_sent=on_sent)
        one.answered = True
        self._collector.notify()

    def _release_all(self, participants: list[Participant]) -> None:
        """Release every request that still waits, so that the server and our threads can end."""
        for one in participants:
            self._collector.release(one.number, "arrival")
            self._collector.release(one.number, "departure")
