"""The state of a run, derived from its events."""

from typing import Any

Thread = tuple[int, int]
"""A thread, as the serials of its process and of the thread in that process; also a greenlet."""


class RunState:
    """The events so far, and the state of the server's processes, threads and requests.

    Processes are identified by their serials, as in the trace.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.pids: dict[int, int] = {}
        self.ended_processes: set[int] = set()
        self.listeners: list[tuple[int, str, int]] = []
        """Process, host and port of each socket that listens."""

        self.serving_processes: set[int] = set()
        self.watching_processes: set[int] = set()
        """Those whose auto-reloader watches files."""

        self.end_of_request = "request.end"
        """The kind of a request's last event: ``request.collected`` if garbage is collected after each one."""

        self.request_processes: dict[int, int] = {}
        self.request_threads: dict[int, Thread] = {}
        self.request_greenlets: dict[int, Thread] = {}
        self.ended_requests: set[int] = set()
        self.connection_threads: dict[int, Thread] = {}
        """The threads that serve HTTP connections, by the client's port."""

        self.native_ids: dict[Thread, int] = {}
        self.ended_threads: set[Thread] = set()
        self.ended_greenlets: set[Thread] = set()
        self.read_counts: dict[int, int] = {}
        """How many events of each process were read, up to the first missing one."""

        self._ahead: dict[int, set[int]] = {}
        """The serials of events that were read although an earlier one of their process is missing."""

    def record(self, event: dict[str, Any], process: int) -> None:  # noqa: C901, PLR0912 - a flat table
        """Append ``event`` of ``process`` and update the state. Raise ``KeyError`` if a field is missing."""
        event["p"] = process
        self.events.append(event)
        if "s" in event:
            self._count(process, event["s"])
        match event["k"]:
            case "process.start":
                self.pids[process] = event["pid"]
            case "process.exit":
                self.ended_processes.add(process)
            case "listening":
                self.listeners.append((process, event["host"], event["port"]))
            case "serving":
                self.serving_processes.add(process)
            case "request.begin":
                self.request_processes[event["r"]] = process
                self.request_threads[event["r"]] = (process, event["th"])
                if "g" in event:
                    self.request_greenlets[event["r"]] = (process, event["g"])
            case "greenlet.end":
                self.ended_greenlets.add((process, event["g"]))
            case self.end_of_request:
                self.ended_requests.add(event["r"])
            case "thread.start":
                self.native_ids[process, event["th"]] = event["native"]
            case "thread.end":
                self.ended_threads.add((process, event["th"]))
            case "http.thread":
                self.connection_threads[event["port"]] = (process, event["th"])
            case "reloader.watching":
                self.watching_processes.add(process)

    def running_pids(self) -> list[int]:
        """Return the process ids of the server's processes that have not ended."""
        return [pid for process, pid in self.pids.items() if process not in self.ended_processes]

    def has_request_ended(self, number: int) -> bool:
        """Return whether the request, which has begun, or its process has ended."""
        return number in self.ended_requests or self.request_processes[number] in self.ended_processes

    def has_thread_ended(self, thread: Thread) -> bool:
        """Return whether the thread or its process has ended."""
        return thread in self.ended_threads or thread[0] in self.ended_processes

    def has_greenlet_ended(self, greenlet: Thread) -> bool:
        """Return whether the greenlet or its process has ended."""
        return greenlet in self.ended_greenlets or greenlet[0] in self.ended_processes

    def is_event_missing(self) -> bool:
        """Return whether an event was read although an earlier one of its process was not."""
        return any(self._ahead.values())

    def _count(self, process: int, serial: int) -> None:
        count = self.read_counts.get(process, 0)
        ahead = self._ahead.setdefault(process, set())
        if serial > count:
            ahead.add(serial)
        while count + 1 in ahead:
            count += 1
            ahead.remove(count)
        if count:
            self.read_counts[process] = count
