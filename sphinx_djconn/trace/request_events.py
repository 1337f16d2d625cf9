"""Requests, and what served them: processes, threads, greenlets, tasks and HTTP connections."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from sphinx_djconn.trace.entities import (
    Greenlet,
    HttpConnection,
    Key,
    Owner,
    Place,
    Process,
    RequestEntity,
    Task,
    Thread,
)
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.unknown import with_unknown

NEVER_SEEN: Final = "Django's handler never saw the request"
"""Why facts of a request that was answered outside of Django's handler, or not at all, are not known."""


class Served:
    """All that a trace tells of requests, by keys, but for their database connections."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.threads: dict[Key, Thread] = {}
        self.greenlets: dict[Key, Greenlet] = {}
        self.tasks: dict[Key, Task] = {}
        self.http_connections: dict[int, HttpConnection] = {}
        self.requests: dict[int, RequestEntity] = {}
        self.parents: dict[int, int] = {}
        self.step = 0
        self._views: Counter[int] = Counter()
        self.first_sent: int | None = None
        self._sent_at: dict[int, int] = {}
        self._first_unseen: int | None = None
        self.served: set[Owner] = set()

    def read(self, events: Iterable[Event]) -> None:
        """Take all ``events`` in, in their order."""
        events = list(events)
        self._find_starters(events)
        for event in events:
            reader = self.READERS.get(event.kind)
            if reader is not None:
                reader(self, event)
        self.requests = dict(sorted(self.requests.items()))
        for request in self.requests.values():
            if request.task is not None and not request.viewed:
                request.thread, request.in_loop = None, False
        unseen = [at for number, at in self._sent_at.items() if not self.requests[number].is_seen]
        self._first_unseen = min(unseen, default=None)

    def _find_starters(self, events: Iterable[Event]) -> None:
        """Find out which processes requests have started: of a child, its parent tells it before or after."""
        children: dict[int, int | None] = {}
        started: list[Event] = []
        for event in events:
            if event.kind == "process.child":
                children[event.data["pid"]] = event.request
            elif event.kind == "process.start":
                started.append(event)
            elif event.kind == "request.sent" and self.first_sent is None:
                self.first_sent = event.at
        by_pid: dict[int, Process] = {}
        for event in started:
            process, pid = self.process(event.process), event.data["pid"]
            parent = by_pid.get(pid) or by_pid.get(event.data["ppid"])  # the former has become another program
            if event.request is not None:
                process.started_by = event.request
            elif pid in children:
                process.started_by = children[pid]
            elif parent is not None:
                process.started_by, process.foreign = parent.started_by, parent.foreign
            else:
                process.foreign = self.first_sent is not None and event.at > self.first_sent
            by_pid[pid] = process

    def request_of(self, event: Event) -> int | None:
        """Return the number of the request in, or for, which ``event`` happened; ``None`` outside of any."""
        return self.process(event.process).started_by if event.request is None else event.request

    def place(self, event: Event) -> Place:
        """Return where and when ``event`` happened."""
        return Place(event.at, *self.here(event))

    def unseen(self) -> str | None:
        """Return why not all is known of the requests that Django's handler never saw; ``None`` without any."""
        if all(request.is_seen for request in self.requests.values()):
            return None
        if not any(process.django for process in self.processes.values()):
            return "no process of the server told that it runs Django"
        return NEVER_SEEN

    def doubt(self, place: Place | None) -> str | None:
        """Return why it isn't known whether what was done at ``place``, in no request, was done for one.

        Returns ``None`` if it is known: it was done before the first request was sent, or by what the server
        itself has started.
        """
        if place is None or self.first_sent is None or place.at < self.first_sent:
            return None
        if self._first_unseen is not None and self._first_unseen < place.at:
            return self.unseen()
        if self.process(place.thread[0]).foreign:
            return "who started a process of the server is not known"
        if (place.thread, place.greenlet) in self.served:
            return None
        if place.greenlet is not None:
            foreign = self.greenlets[place.greenlet].foreign
        else:
            thread = self.threads.get(place.thread)
            foreign = thread is not None and thread.foreign
        return "who started a thread of the server is not known" if foreign else None

    def thread_of(self, event: Event) -> Thread:
        """Return the thread in which ``event`` happened."""
        key = (event.process, event.thread)
        if key not in self.threads:
            self.threads[key] = Thread(key)
        return self.threads[key]

    def greenlet_of(self, event: Event) -> Greenlet | None:
        """Return the greenlet in which ``event`` happened; ``None`` where the thread has none but itself."""
        serial = event.data.get("g", 0)
        return self.greenlets.setdefault(key := (event.process, serial), Greenlet(key)) if serial else None

    def request(self, number: int) -> RequestEntity:
        """Return the request with ``number``."""
        if number not in self.requests:
            self.requests[number] = RequestEntity(number)
        return self.requests[number]

    def process(self, serial: int) -> Process:
        """Return the process with ``serial``."""
        if serial not in self.processes:
            self.processes[serial] = Process(serial)
        return self.processes[serial]

    def here(self, event: Event) -> tuple[Key, Key | None]:
        """Return the keys of the thread and the greenlet in which ``event`` happened."""
        greenlet = self.greenlet_of(event)
        return (event.process, event.thread), None if greenlet is None else greenlet.key

    # Clients.

    def _step_begins(self, event: Event) -> None:
        self.step = event.data["n"]

    def _http_opened(self, event: Event) -> None:
        data = event.data
        self.http_connections[data["h"]] = HttpConnection(data["h"], client=data["client"], port=data["port"])

    def _http_closed(self, event: Event) -> None:
        self.http_connections[event.data["h"]].closed_by = event.data["by"]

    def _sent(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.client, request.method = event.data["client"], event.data["method"]
        request.path, request.label = event.data["path"], event.data.get("label")
        request.step = self.step
        self._sent_at.setdefault(request.number, event.at)

    def _answered(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.status = event.data.get("status")
        request.error = event.data.get("error")
        request.body = event.data.get("json")
        request.json = with_unknown(request.body, event.data.get("unknown", ()), f"{request.label}.json")
        request.http = self.http_connections.get(event.data.get("h") or 0)
        request.http_new = bool(event.data.get("new"))
        request.answered = event.at
        request.close_delimited = bool(event.data.get("close_delimited"))

    # Processes and threads.

    def _process_started(self, event: Event) -> None:
        process = self.process(event.process)
        process.pid, process.parent_pid = event.data["pid"], event.data["ppid"]
        process.python = event.data["python"]
        for other in self.processes.values():
            if other.pid == process.parent_pid and not other.ended:
                self.parents[process.serial] = other.serial

    def _django_loaded(self, event: Event) -> None:
        self.process(event.process).django = event.data["version"]

    def _process_ended(self, event: Event) -> None:
        process = self.process(event.process)
        process.ended, process.ended_at = True, event.at

    def _is_foreign(self, event: Event) -> bool:
        """Return whether a request may have started the thread or greenlet, though nobody knows."""
        early = self.first_sent is None or event.at < self.first_sent
        return not early and bool(event.data.get("foreign"))

    def _thread_started(self, event: Event) -> None:
        thread = self.thread_of(event)
        thread.ident, thread.main = event.data["ident"], event.data["main"]
        thread.name = "main" if thread.main else _plain(event.data["name"])
        thread.started_by, thread.foreign = event.request, self._is_foreign(event)
        if thread.started_by is not None:
            self.request(thread.started_by).threads_started += 1

    def _thread_ended(self, event: Event) -> None:
        self.thread_of(event).ended = True

    def _greenlet_started(self, event: Event) -> None:
        greenlet = self.greenlet_of(event)
        if greenlet is not None:
            greenlet.ident = event.data["ident"]
            greenlet.started_by, greenlet.foreign = event.request, self._is_foreign(event)

    def _greenlet_ended(self, event: Event) -> None:
        greenlet = self.greenlet_of(event)
        if greenlet is not None:
            greenlet.ended = True

    # Requests inside the server.

    def _begun(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.begun, request.thread = event.at, self.thread_of(event)
        request.greenlet = self.greenlet_of(event)
        request.process = self.process(event.process)
        self.served.add(self.here(event))
        if "task" in event.data:
            key = (event.process, event.data["task"])
            request.task, request.in_loop = self.tasks.setdefault(key, Task(key)), True

    def _viewed(self, event: Event) -> None:
        request, thread = self.request(event.request or 0), self.thread_of(event)
        self._views[request.number] += 1  # a test client within a view calls another
        if request.view_begun is None:
            request.view_begun = event.at
        if request.task is not None:
            request.in_loop = thread is request.thread
            request.thread, request.viewed = thread, True

    def _view_ended(self, event: Event) -> None:
        request = self.request(event.request or 0)
        self._views[request.number] -= 1
        request.view_ended = None if self._views[request.number] else event.at

    def _ended(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.ended, request.ended_in = event.at, self.thread_of(event)

    READERS: ClassVar[dict[str, Any]] = {
        "step": _step_begins,
        "http.open": _http_opened,
        "http.close": _http_closed,
        "request.sent": _sent,
        "response": _answered,
        "request.error": _answered,
        "process.start": _process_started,
        "django": _django_loaded,
        "process.exit": _process_ended,
        "thread.start": _thread_started,
        "thread.end": _thread_ended,
        "greenlet.start": _greenlet_started,
        "greenlet.end": _greenlet_ended,
        "request.begin": _begun,
        "request.view": _viewed,
        "request.view.end": _view_ended,
        "request.end": _ended,
    }


def _plain(name: str) -> str:
    """Return a thread's name without the counter that Python puts into it."""
    counted = re.fullmatch(r"Thread-\d+(?: \((?P<target>.*)\))?", name)
    return name if counted is None else counted["target"] or "thread"
