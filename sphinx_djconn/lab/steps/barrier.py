"""``together``: requests that are in the server at the same time, surely and not by luck.

Each request waits inside Django's handler, at its arrival, until all of them are there, and once more at
its departure, when its view has returned. Between the two it goes on alone, in the order of the page:
so all of them overlap, each holds its thread and its database connection while the others do, and still
two runs go the same way: where the database server is the build's own, its work is waited for, too. A
server that takes fewer at once than there are is at rest while some have not
arrived: then those that are there make a wave, and the rest follow in the next.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.steps.clients import Client
from sphinx_djconn.lab.steps.idle import QUIET, IdleDetector
from sphinx_djconn.scenario.model import Request

_TOGETHER: Final = "the requests of `together`"
_LONG: Final = 4 * QUIET
"""Seconds of rest after which a view that has not returned is taken to wait for another request."""

_ELSEWHERE: Final = 10.0
"""Seconds that a database server may work while the server rests: one that others use may have no rest."""


@dataclass
class Participant:
    """One request of a meeting, and how far it has come."""

    number: int
    request: Request
    client: Client
    thread: threading.Thread | None = None
    status: int | None = None
    sent: bool = False
    answered: bool = False
    settled: bool = False
    released: bool = False


class Barrier:
    """Holds one ``together`` step. ``after`` ends a request that was answered.

    ``beside`` returns the processes that do a part of the server's work, and are not its own.
    """

    def __init__(
        self,
        feed: EventCollector,
        base_url: str,
        after: Callable[[int, Client, Request, int | None], None],
        beside: Callable[[], Iterable[int]],
    ) -> None:
        self._feed = feed
        self._base_url = base_url
        self._after = after
        self._beside = beside

    def hold(self, participants: list[Participant]) -> None:
        """Send all requests and see them through."""
        try:
            self._send_all(participants)
            while not all(participant.settled for participant in participants):
                self._wave(participants)
        finally:
            self._let_go(participants)

    def _send_all(self, participants: list[Participant]) -> None:
        """Send one request after another, each when the one before has arrived.

        From the first that the server does not take they follow as soon as they are sent.
        """
        taken = True
        for one in participants:
            self._start(one)
            self._feed.wait(lambda: one.sent or one.answered, "a request to be sent")  # noqa: B023 - at once
            taken = taken and self._until(partial(self._has_come, one, "arrival"))
        if not taken:
            self._until(lambda: all(self._has_come(one, "arrival") for one in participants))

    def _wave(self, participants: list[Participant]) -> None:
        """Take those that have arrived through their views, then out, each in its turn."""
        self._feed.wait(
            lambda: any(
                one.answered or self._at(one, "arrival") or self._at(one, "departure")
                for one in participants
                if not one.settled
            ),
            "a request of `together` to arrive",
        )
        wave = [one for one in participants if self._at(one, "arrival")]
        for one in wave:
            one.released = True
            self._feed.release(one.number, "arrival")
            self._until(partial(self._has_come, one, "departure"))
            self._feed.drain()
            self._feed.count()  # the end of its view is seen to be before the next one's beginning
        inside = [one for one in participants if one.released and not one.settled]
        self._until(lambda: all(self._has_come(one, "departure") for one in inside), _LONG)
        for one in participants:
            if self._at(one, "departure") or (one.answered and not one.settled):
                outside = [each for each in participants if not self._has_come(each, "arrival")]
                outside = [each for each in outside if not each.released]
                self._feed.release(one.number, "departure")
                if self._can_answer(one, participants):
                    self._settle(one)
                    self._await_next(outside)

    def _can_answer(self, one: Participant, participants: list[Participant]) -> bool:
        """Return whether the server can send the response now.

        It can't while another request waits at its arrival in the thread of the event loop that runs the views
        and sends responses, as with Tornado: that one belongs to the next wave, and the response follows then.
        """
        if self._until(lambda: one.answered, _LONG):
            return True
        return not any(self._at(each, "arrival") for each in participants)

    def _await_next(self, outside: list[Participant]) -> None:
        """Give the place that has become free to one of those that have waited ``outside``."""
        if outside:
            self._until(lambda: any(self._has_come(one, "arrival") for one in outside))

    def _settle(self, one: Participant) -> None:
        self._feed.wait(lambda: one.answered, f"the response to `{one.request.method} {one.request.path}`")
        one.settled = True
        self._after(one.number, one.client, one.request, one.status)

    def _at(self, one: Participant, place: str) -> bool:
        return (one.number, place) in self._feed.arrived

    def _has_come(self, one: Participant, place: str) -> bool:
        return one.answered or self._at(one, place)

    def _until(self, test: Callable[[], bool], seconds: float = QUIET) -> bool:
        """Wait for ``test``, or until the server has come to rest without it; return which."""
        pids = [pid for process, pid in self._feed.pids.items() if process not in self._feed.gone]
        here, beside = IdleDetector(lambda: pids, seconds), IdleDetector(self._beside, seconds)
        while not self._feed.wait(test, _TOGETHER, seconds=IdleDetector.sample):
            over, elsewhere = here(), not beside()
            if over and not (elsewhere and here.lasted < _ELSEWHERE):
                # It may have been us who were slow: what the server has done by now is to be read before.
                self._feed.drain()
                return bool(self._feed.wait(test, _TOGETHER, seconds=0))
        return True

    def _start(self, one: Participant) -> None:
        one.thread = threading.Thread(target=self._send, args=(one,), name="djconn-client")
        one.thread.daemon = True
        one.thread.start()

    def _send(self, one: Participant) -> None:
        def sent() -> None:
            one.sent = True
            self._feed.notify()

        one.status = one.client.send(one.number, one.request, self._base_url, meet=True, sent=sent)
        one.answered = True
        self._feed.notify()

    def _let_go(self, participants: list[Participant]) -> None:
        """Leave nobody waiting in the server, and no thread of ours without its end."""
        for one in participants:
            self._feed.release(one.number, "arrival")
            self._feed.release(one.number, "departure")
