"""Sorts the events of a run and the lines of its server's log into the steps of the sequence.

The lab executes one step after another, so most events of the server have the same order in every run. Others
do not: a client opens and closes its end of an HTTP connection at the same time as the server, and threads
end a moment later. These are placed next to the request that they belong to. Threads that a request starts
run in parallel: the events of each one in a step are grouped. Events of the garbage collector are left out.
"""

from typing import NamedTuple, TypeAlias

from sphinx_djconn.evidence.event_text import FORMATTED_KINDS
from sphinx_djconn.trace.entities import Owner
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.reading import Trace

_CONNECTING, _IN_ORDER, _DISCONNECTING, _ENDING = range(4)

Entry: TypeAlias = Event | str
"""An event, or a line of the server's log."""


class Section:
    """The entries of one step; ``step`` is its text, ``None`` before the first step."""

    def __init__(self, step: str | None) -> None:
        self.step = step
        self._entries: list[tuple[int, int, Entry]] = []
        self._grouped_with: dict[int, int] = {}
        self._first_of: dict[Owner, int] = {}
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}

    def add(self, request: int, rank: int, entry: Entry) -> None:
        """Add ``entry``, which belongs to the number ``request``, or to 0 for none."""
        self._entries.append((request, rank, entry))

    def group(self, owner: Owner) -> None:
        """Group the last entry with those of the same ``owner``."""
        last = len(self._entries) - 1
        self._grouped_with[last] = self._first_of.setdefault(owner, last)

    def mark_handling(self, request: int) -> None:
        """Record that the server was handling ``request`` at the last entry."""
        self._first.setdefault(request, len(self._entries) - 1)
        self._last[request] = len(self._entries) - 1

    def entries(self) -> list[Entry]:
        """Return the entries in their order."""
        keys = [
            (self._moment(index, request, rank), rank, index)
            for index, (request, rank, _) in enumerate(self._entries)
        ]
        return [self._entries[index][2] for *_, index in sorted(keys)]

    def _moment(self, index: int, request: int, rank: int) -> int:
        if index in self._grouped_with:
            return self._grouped_with[index]
        if rank == _CONNECTING:
            return self._first.get(request, index)
        if rank == _IN_ORDER:
            return index
        return self._last.get(request, index)


class _Place(NamedTuple):
    """The section of an entry, and the number of its request or 0."""

    section: Section
    request: int


def timeline(trace: Trace) -> list[Section]:
    """Return the sections of ``trace``: one before the first step, and one for each step."""
    return _Builder(trace).build()


class _Builder:
    """Reads the events once, and adds them to sections."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._sections = [Section(None)]
        self._lines = 0
        self._sent: dict[int, _Place] = {}
        self._disconnected: dict[int, _Place] = {}
        self._used: set[tuple[int | None, int, int]] = set()
        self._first_of_http: dict[int, int] = {}
        self._last_of_http: dict[int, int] = {}
        self._first_of_thread: dict[tuple[int, int], int] = {}
        self._last_of_thread: dict[tuple[int, int], int] = {}
        self._last_of_greenlet: dict[tuple[int, int], int] = {}
        for request in trace.entities.requests.values():
            if request.http is not None:
                self._first_of_http.setdefault(request.http.serial, request.number)
                self._last_of_http[request.http.serial] = request.number
            if request.thread is not None:
                self._first_of_thread.setdefault(request.thread.key, request.number)
                self._last_of_thread[request.thread.key] = request.number
            if request.greenlet is not None:
                self._last_of_greenlet[request.greenlet.key] = request.number

    def build(self) -> list[Section]:
        """Return the sections, up to the end of the sequence."""
        for event in self._trace.events:
            if event.log > self._lines:
                self._flush(event.log)
            if event.kind == "end":
                break
            if event.kind == "step":
                self._sections.append(Section(str(event.data["text"])))
            elif event.kind == "request.sent" and event.request is not None:
                self._sent[event.request] = _Place(self._sections[-1], event.request)
            self._put(event)
        self._flush(len(self._trace.log))
        return self._sections

    def _flush(self, until: int) -> None:
        """Add the lines of the log that were complete before an event."""
        for line in self._trace.log[self._lines : until]:
            self._sections[-1].add(0, _IN_ORDER, line)
        self._lines = until

    def _put(self, event: Event) -> None:
        owner = self._started_owner(event)
        place = self._place(event) if owner is None else _Place(self._sections[-1], 0)
        if place is None or self._is_redundant(event):
            return
        section, request = place
        if event.kind in FORMATTED_KINDS:
            rank = _IN_ORDER if owner else _RANKS.get(event.kind, _IN_ORDER)
            section.add(request, rank, event)
            if owner is not None:
                section.group(owner)
        if owner is None and event.process and request and event.kind not in ("thread.end", "greenlet.end"):
            section.mark_handling(request)

    def _is_redundant(self, event: Event) -> bool:
        """Return whether ``event`` is a repeated use of a connection, or a view in its request's thread."""
        if event.kind == "request.view":
            request = self._trace.entities.requests.get(event.request or 0)
            return request is None or request.task is None
        if event.kind != "db.use":
            return False
        use = (event.request, event.process, event.data["c"])
        repeated = use in self._used
        self._used.add(use)
        return repeated

    def _place(self, event: Event) -> _Place | None:
        """Return the place of ``event``, or ``None`` if it is left out."""
        here = _Place(self._sections[-1], 0)
        thread = (event.process, event.thread)
        match event.kind:
            case "http.open":
                return self._sent.get(self._first_of_http.get(event.data["h"], 0), here)
            case "http.close":
                return self._disconnecting(event.data["h"], here)
            case "thread.start":
                return self._sent.get(self._first_of_thread.get(thread, 0))
            case "thread.end":
                return self._ending(self._last_of_thread.get(thread, 0), here)
            case "greenlet.end":
                greenlet = (event.process, event.data["g"])
                return self._ending(self._last_of_greenlet.get(greenlet, 0), here)
        early = len(self._sections) == 1 and event.kind in ("process.start", "process.exit")
        return None if early else self._of_request(event, here)

    def _of_request(self, event: Event, here: _Place) -> _Place:
        """Return where the request of ``event`` was sent; here if the request had already ended."""
        number = event.request or 0
        request = self._trace.entities.requests.get(number)
        is_late = request is not None and request.ended is not None and request.ended < event.at
        return here if is_late and event.process else self._sent.get(number, here)

    def _started_owner(self, event: Event) -> Owner | None:
        """Return the thread and greenlet of ``event`` if a request started it, and it handled no request.

        Only owners that have used a database count.
        """
        entities = self._trace.entities
        thread, greenlet = entities.owner_of(event) if event.process else ((0, 0), None)
        if greenlet is None and event.kind == "greenlet.end":
            greenlet = (event.process, event.data["g"])
        owner = (thread, greenlet)
        handled = thread in self._first_of_thread if greenlet is None else greenlet in self._last_of_greenlet
        return owner if owner in entities.started_owners and not handled else None

    def _disconnecting(self, http: int, here: _Place) -> _Place:
        last = self._sent.get(self._last_of_http.get(http, 0), here)
        self._disconnected[http] = last if last.section is here.section else here
        return self._disconnected[http]

    def _ending(self, request: int, here: _Place) -> _Place | None:
        """Return the place of the end of a thread or greenlet that handled ``request`` last.

        The thread of an HTTP connection ends a moment after the client has closed it.
        """
        last_request = self._trace.entities.requests.get(request)
        if last_request is None:
            return None
        http = last_request.http
        if http is not None and http.serial in self._disconnected:
            return self._disconnected[http.serial]
        last = self._sent.get(request, here)
        return last if last.section is here.section else here


_RANKS = {
    "http.open": _CONNECTING,
    "http.close": _DISCONNECTING,
    "thread.end": _ENDING,
    "greenlet.end": _ENDING,
}
