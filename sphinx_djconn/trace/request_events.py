"""Read requests, and what ran them: processes, threads, greenlets, tasks and HTTP connections."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from sphinx_djconn.trace.entities import HttpConnection, Process, Task
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.unknown import with_unknown


def find_starters(events: Iterable[Event], entities: Entities) -> None:
    """Enter in each process of ``entities`` which request started it.

    This takes a pass of its own, because a parent may report its child after the child's own first event.
    """
    children: dict[int, int | None] = {}
    starts: list[Event] = []
    for event in events:
        if event.kind == "process.child":
            children[event.data["pid"]] = event.request
        elif event.kind == "process.start":
            starts.append(event)
        elif event.kind == "request.sent" and entities.first_sent is None:
            entities.first_sent = event.at
    by_pid: dict[int, Process] = {}
    for event in starts:
        process, pid = entities.process(event.process), event.data["pid"]
        # A process that executes another program starts again, with the same pid.
        parent = by_pid.get(pid) or by_pid.get(event.data["ppid"])
        if event.request is not None:
            process.started_by = event.request
        elif pid in children:
            process.started_by = children[pid]
        elif parent is not None:
            process.started_by, process.starter_unknown = parent.started_by, parent.starter_unknown
        else:
            process.starter_unknown = entities.first_sent is not None and event.at > entities.first_sent
        by_pid[pid] = process


class RequestEvents:
    """Reads events, in their order, into ``entities``; those about databases are left out."""

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._step = 0
        self._views_running: Counter[int] = Counter()
        self._sent_at: dict[int, int] = {}
        self.handlers: dict[str, Callable[[Event], None]] = {
            "step": self._step_begun,
            "http.open": self._http_opened,
            "http.close": self._http_closed,
            "request.sent": self._request_sent,
            "response": self._request_answered,
            "request.error": self._request_answered,
            "process.start": self._process_started,
            "django": self._django_loaded,
            "process.exit": self._process_ended,
            "thread.start": self._thread_started,
            "thread.end": self._thread_ended,
            "greenlet.start": self._greenlet_started,
            "greenlet.end": self._greenlet_ended,
            "request.begin": self._request_begun,
            "request.view": self._view_begun,
            "request.view.end": self._view_ended,
            "request.end": self._request_ended,
        }

    def read(self, event: Event) -> None:
        """Read one event."""
        handler = self.handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def finish(self) -> None:
        """Complete the requests after the last event."""
        entities = self._entities
        entities.requests = dict(sorted(entities.requests.items()))
        for request in entities.requests.values():
            if request.task is not None and not request.viewed:
                request.thread, request.in_loop = None, False
        unseen = [at for number, at in self._sent_at.items() if not entities.requests[number].is_seen]
        entities.first_unseen = min(unseen, default=None)

    # Clients.

    def _step_begun(self, event: Event) -> None:
        self._step = event.data["n"]

    def _http_opened(self, event: Event) -> None:
        serial, client, port = event.data["h"], event.data["client"], event.data["port"]
        self._entities.http_connections[serial] = HttpConnection(serial, client=client, port=port)

    def _http_closed(self, event: Event) -> None:
        self._entities.http_connections[event.data["h"]].closed_by = event.data["by"]

    def _request_sent(self, event: Event) -> None:
        request = self._entities.request(event.request or 0)
        request.client, request.method = event.data["client"], event.data["method"]
        request.path, request.label = event.data["path"], event.data.get("label")
        request.step = self._step
        self._sent_at.setdefault(request.number, event.at)

    def _request_answered(self, event: Event) -> None:
        request = self._entities.request(event.request or 0)
        request.status = event.data.get("status")
        request.error = event.data.get("error")
        request.body = event.data.get("json")
        request.json = with_unknown(request.body, event.data.get("unknown", ()), f"{request.label}.json")
        request.http = self._entities.http_connections.get(event.data.get("h") or 0)
        request.http_new = bool(event.data.get("new"))
        request.answered = event.at
        request.close_delimited = bool(event.data.get("close_delimited"))

    # Processes, threads, greenlets.

    def _process_started(self, event: Event) -> None:
        process = self._entities.process(event.process)
        process.pid, process.parent_pid = event.data["pid"], event.data["ppid"]
        process.python = event.data["python"]
        for other in self._entities.processes.values():
            if other.pid == process.parent_pid and not other.ended:
                self._entities.parents[process.serial] = other.serial

    def _django_loaded(self, event: Event) -> None:
        self._entities.process(event.process).django = event.data["version"]

    def _process_ended(self, event: Event) -> None:
        process = self._entities.process(event.process)
        process.ended, process.ended_at = True, event.at

    def _is_starter_unknown(self, event: Event) -> bool:
        """Return whether a request may have started the thread or greenlet that starts with ``event``."""
        first_sent = self._entities.first_sent
        is_early = first_sent is None or event.at < first_sent
        return not is_early and bool(event.data.get("foreign"))

    def _thread_started(self, event: Event) -> None:
        thread = self._entities.thread_of(event)
        thread.ident, thread.main = event.data["ident"], event.data["main"]
        thread.name = "main" if thread.main else _without_counter(event.data["name"])
        thread.started_by, thread.starter_unknown = event.request, self._is_starter_unknown(event)
        if thread.started_by is not None:
            self._entities.request(thread.started_by).threads_started += 1

    def _thread_ended(self, event: Event) -> None:
        self._entities.thread_of(event).ended = True

    def _greenlet_started(self, event: Event) -> None:
        greenlet = self._entities.greenlet_of(event)
        if greenlet is not None:
            greenlet.ident = event.data["ident"]
            greenlet.started_by, greenlet.starter_unknown = event.request, self._is_starter_unknown(event)

    def _greenlet_ended(self, event: Event) -> None:
        greenlet = self._entities.greenlet_of(event)
        if greenlet is not None:
            greenlet.ended = True

    # Requests inside the server.

    def _request_begun(self, event: Event) -> None:
        entities = self._entities
        request = entities.request(event.request or 0)
        request.begun, request.thread = event.at, entities.thread_of(event)
        request.greenlet = entities.greenlet_of(event)
        request.process = entities.process(event.process)
        entities.owners_with_requests.add(entities.owner_of(event))
        if "task" in event.data:
            key = (event.process, event.data["task"])
            request.task, request.in_loop = entities.tasks.setdefault(key, Task(key)), True

    def _view_begun(self, event: Event) -> None:
        request, thread = self._entities.request(event.request or 0), self._entities.thread_of(event)
        self._views_running[request.number] += 1  # a test client within a view calls another
        if request.view_begun is None:
            request.view_begun = event.at
        if request.task is not None:
            request.in_loop = thread is request.thread
            request.thread, request.viewed = thread, True

    def _view_ended(self, event: Event) -> None:
        request = self._entities.request(event.request or 0)
        self._views_running[request.number] -= 1
        request.view_ended = None if self._views_running[request.number] else event.at

    def _request_ended(self, event: Event) -> None:
        request = self._entities.request(event.request or 0)
        request.ended, request.ended_in = event.at, self._entities.thread_of(event)


def _without_counter(name: str) -> str:
    """Return a thread's name without the counter that Python puts into it."""
    counted = re.fullmatch(r"Thread-\d+(?: \((?P<target>.*)\))?", name)
    return name if counted is None else counted["target"] or "thread"
