"""Requests, and what served them: processes, threads, greenlets, tasks and HTTP connections."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from sphinx_djconn.trace.entities import (
    Greenlet,
    HttpConnection,
    Key,
    Process,
    RequestEntity,
    Task,
    Thread,
)
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.unknown import with_unknown


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
        self._ends: dict[Key, int] = {}

    def read(self, events: Iterable[Event]) -> None:
        """Take all ``events`` in, in their order."""
        for event in events:
            reader = self.READERS.get(event.kind)
            if reader is not None:
                reader(self, event)
        self.requests = dict(sorted(self.requests.items()))
        for request in self.requests.values():
            if request.ended is None and request.thread is not None:
                request.ended = self._ends.get(request.thread.key)

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

    def _answered(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.status = event.data.get("status")
        request.error = event.data.get("error")
        request.body = event.data.get("json")
        request.json = with_unknown(request.body, event.data.get("unknown", ()))
        request.http = self.http_connections.get(event.data.get("h") or 0)
        request.http_new = bool(event.data.get("new"))

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
        self.process(event.process).ended = True

    def _thread_started(self, event: Event) -> None:
        thread = self.thread_of(event)
        thread.ident, thread.main = event.data["ident"], event.data["main"]
        thread.name = "main" if thread.main else _plain(event.data["name"])

    def _thread_ended(self, event: Event) -> None:
        self.thread_of(event).ended = True
        self._ends[event.process, event.thread] = event.at

    def _greenlet_started(self, event: Event) -> None:
        greenlet = self.greenlet_of(event)
        if greenlet is not None:
            greenlet.ident = event.data["ident"]

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
        if "task" in event.data:
            key = (event.process, event.data["task"])
            request.task, request.in_loop = self.tasks.setdefault(key, Task(key)), True

    def _viewed(self, event: Event) -> None:
        request, thread = self.request(event.request or 0), self.thread_of(event)
        request.in_loop = thread is request.thread
        request.thread = thread

    def _ended(self, event: Event) -> None:
        self.request(event.request or 0).ended = event.at

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
        "request.end": _ended,
    }


def _plain(name: str) -> str:
    """Return a thread's name without the counter that Python puts into it."""
    counted = re.fullmatch(r"Thread-\d+(?: \((?P<target>.*)\))?", name)
    return name if counted is None else counted["target"] or "thread"
