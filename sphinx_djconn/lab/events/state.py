"""What is known of a run: its events as they come, and what those who wait for something ask of them.

Processes have their numbers in the trace, and threads and greenlets serial numbers within theirs.
"""

from typing import Any


class RunState:
    """The events of a run so far, and where it has come to.

    ``end_of_request`` is the kind of the last event of a request: ``request.collected`` if a garbage collection
    follows each one.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.pids: dict[int, int] = {}
        self.gone: set[int] = set()
        self.listening: list[tuple[int, str, int]] = []
        self.serving_processes: set[int] = set()
        self.watching: set[int] = set()
        self.begun: dict[int, int] = {}
        self.handling: dict[int, tuple[int, int]] = {}
        self.ended: set[int] = set()
        self.end_of_request = "request.end"
        self.serving: dict[int, tuple[int, int]] = {}
        self.natives: dict[tuple[int, int], int] = {}
        self.ended_threads: set[tuple[int, int]] = set()
        self.greenlets: dict[int, tuple[int, int]] = {}
        self.ended_greenlets: set[tuple[int, int]] = set()
        self.read: dict[int, int] = {}
        """How many events of each process were read, up to the first that is missing."""
        self.ahead: dict[int, set[int]] = {}
        """The serials of those that were read behind one that is missing."""

    def note(self, event: dict[str, Any], process: int) -> None:  # noqa: C901, PLR0912 - a flat table
        """Keep ``event`` of ``process``, and what is asked of it; raise :class:`KeyError` where it has less."""
        event["p"] = process
        self.events.append(event)
        if "s" in event:
            self._count(process, event["s"])
        match event["k"]:
            case "process.start":
                self.pids[process] = event["pid"]
            case "process.exit":
                self.gone.add(process)
            case "listening":
                self.listening.append((process, event["host"], event["port"]))
            case "serving":
                self.serving_processes.add(process)
            case "request.begin":
                self.begun[event["r"]] = process
                self.handling[event["r"]] = (process, event["th"])
                if "g" in event:
                    self.greenlets[event["r"]] = (process, event["g"])
            case "greenlet.end":
                self.ended_greenlets.add((process, event["g"]))
            case self.end_of_request:
                self.ended.add(event["r"])
            case "thread.start":
                self.natives[process, event["th"]] = event["native"]
            case "thread.end":
                self.ended_threads.add((process, event["th"]))
            case "http.thread":
                self.serving[event["port"]] = (process, event["th"])
            case "reloader.watching":
                self.watching.add(process)

    def _count(self, process: int, serial: int) -> None:
        ahead = self.ahead.setdefault(process, set())
        if serial > self.read.get(process, 0):
            ahead.add(serial)
        while self.read.get(process, 0) + 1 in ahead:
            self.read[process] = self.read.get(process, 0) + 1
            ahead.remove(self.read[process])
