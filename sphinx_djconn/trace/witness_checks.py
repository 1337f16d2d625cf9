"""Check the events of a run against witnesses that do not use the probe.

At the end of each step, the lab asks the kernel what it has of the server's processes (``processes.seen``:
their threads, the sockets of database connections, the descriptors of SQLite files), and the database server
for its sessions (``db.sessions``).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sphinx_djconn.trace.contradictions import ContradictionReport, Scope
from sphinx_djconn.trace.entities import Key
from sphinx_djconn.trace.event_checks import ConnectionState, ProcessRecord, ProcessRecords
from sphinx_djconn.trace.events import Event


@dataclass(slots=True)
class _Resources:
    """What the kernel should have of a process, by its events.

    ``thread_ids`` are the kernel's, by the serials of threads. ``sockets`` are the serials of database
    connections with a socket, ``sockets_seen`` those that the kernel had in the last step, and
    ``ended_by_server`` those whose session the database server has ended. ``sqlite_files`` are the serials of
    connections to SQLite files, and ``inherited_files`` is how many of these there were in the process that
    forked this one.
    """

    thread_ids: dict[int, int] = field(default_factory=dict)
    sockets: set[int] = field(default_factory=set)
    sockets_seen: set[int] = field(default_factory=set)
    ended_by_server: set[int] = field(default_factory=set)
    sqlite_files: set[int] = field(default_factory=set)
    inherited_files: int = 0


class WitnessChecks:
    """Goes through the events once, in their order, and adds contradictions to a report.

    ``processes`` are the records of the processes, in which :class:`EventChecks` has already entered the event.
    """

    def __init__(self, report: ContradictionReport, processes: ProcessRecords) -> None:
        self._report = report
        self._processes = processes
        self._resources: dict[int, _Resources] = {}
        self._connection_by_pid: dict[int, Key] = {}
        self._unknown_sessions: Counter[int] = Counter()
        self._has_pool = False
        self.handlers: dict[str, Callable[[Event], None]] = {
            "process.start": self._process_started,
            "thread.start": self._thread_started,
            "db.open": self._db_opened,
            "db.close": self._db_left,
            "db.collected": self._db_left,
            "db.fault": self._db_fault,
            "processes.seen": self._processes_seen,
            "db.sessions": self._sessions_seen,
        }

    def check(self, event: Event) -> None:
        """Check one event, if it is that of a witness; else note what the witnesses should see."""
        handler = self.handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def finish(self) -> None:
        """Report sessions without a wrapper. Those of a pool are excepted: it opens some by itself."""
        if self._has_pool:
            return
        for step, count in self._unknown_sessions.items():
            self._report.step = step
            what = "a session" if count == 1 else f"{count} sessions"
            self._report.add(f"the database server has {what} that no Django wrapper opened", Scope.DATABASE)

    def _of(self, process: int) -> _Resources:
        return self._resources.setdefault(process, _Resources())

    # What the witnesses should see.

    def _process_started(self, event: Event) -> None:
        parent = self._processes[event.process].parent
        if parent is not None:
            resources = self._of(parent)
            self._of(event.process).inherited_files = resources.inherited_files + len(resources.sqlite_files)

    def _thread_started(self, event: Event) -> None:
        self._of(event.process).thread_ids[event.thread] = event.data.get("native", 0)

    def _db_opened(self, event: Event) -> None:
        resources, connection = self._of(event.process), event.data["c"]
        self._has_pool = self._has_pool or "pooled" in event.data
        if "pid" in event.data:
            self._connection_by_pid[event.data["pid"]] = (event.process, connection)
        if "inode" in event.data:
            resources.sockets.add(connection)
        if self._processes.vendor(event.process, event.data["w"]) == "sqlite":
            resources.sqlite_files.add(connection)

    def _db_left(self, event: Event) -> None:
        connection = event.data["c"]
        if self._processes[event.process].connections[connection] is not ConnectionState.DROPPED:
            self._of(event.process).sqlite_files.discard(connection)

    def _db_fault(self, event: Event) -> None:
        """The database server is about to end all sessions of this run."""
        if event.data["action"] in ("end sessions", "restart"):
            for resources in self._resources.values():
                resources.ended_by_server |= resources.sockets

    # What the kernel sees.

    def _processes_seen(self, event: Event) -> None:
        for seen in event.data["processes"]:
            process = seen["p"]
            record = self._processes[process]
            if not record.ended:
                self._check_threads(process, record, set(seen["threads"]))
                self._check_sockets(process, record, set(seen.get("connections", ())))
                self._check_files(process, record, seen["files"], locked=seen.get("locked", False))

    def _check_threads(self, process: int, record: ProcessRecord, seen: set[int]) -> None:
        thread_ids = self._of(process).thread_ids
        for thread, is_alive in record.threads.items():
            if is_alive and thread_ids.get(thread) and thread not in seen:
                name = self._report.thread(process, thread)
                self._report.add(f"the end of {name} was not seen", Scope.PROBE)

    def _check_sockets(self, process: int, record: ProcessRecord, seen: set[int]) -> None:
        resources = self._of(process)
        for connection in sorted(resources.sockets | seen):
            state, has_socket = record.connections.get(connection), connection in seen
            if state is ConnectionState.OPEN and not has_socket:
                if connection in resources.ended_by_server:
                    continue  # the driver has noticed it, and has closed its socket
                problem = "is open for Django, but has no socket anymore"
            elif has_socket and state is None:
                problem = "has a socket, but was never opened"
            elif has_socket and state is ConnectionState.CLOSED:
                problem = "was closed, but still has a socket"
            else:
                continue
            self._report.add(f"{self._report.db_connection(process, connection)} {problem}", Scope.DATABASE)
        resources.sockets_seen = seen

    def _check_files(self, process: int, record: ProcessRecord, seen: int, *, locked: bool) -> None:
        """Compare the number of descriptors of SQLite files with the connections that can have one.

        Connections that were inherited, or taken away from their wrapper, may have one. SQLite keeps
        descriptors open while the process has a lock on a file.
        """
        resources = self._of(process)
        least = sum(
            record.connections[connection] is ConnectionState.OPEN for connection in resources.sqlite_files
        )
        most = len(resources.sqlite_files) + resources.inherited_files
        if seen < least or (seen > most and not locked):
            self._report.add(
                f"{self._report.process(process)} has {least} open connections to SQLite files, "
                f"but {seen} descriptors of them",
                Scope.DATABASE,
            )

    # What the database server sees.

    def _sessions_seen(self, event: Event) -> None:
        unknown = 0
        seen = {pid for pid, _ in event.data["sessions"]}
        for pid, _ in event.data["sessions"]:
            key = self._connection_by_pid.get(pid)
            if key is None:
                unknown += 1
                continue
            record = self._processes[key[0]]
            if record.ended:
                problem = "still has a session, but its process has ended"
            elif record.connections[key[1]] is ConnectionState.CLOSED:
                problem = "was closed, but still has a session"
            else:
                continue
            self._report.add(f"{self._report.db_connection(*key)} {problem}", Scope.DATABASE)
        for pid, (process, connection) in self._connection_by_pid.items():
            resources = self._of(process)
            if pid not in seen and connection in resources.sockets_seen:
                resources.ended_by_server.add(connection)
        if unknown:
            step = self._report.step
            self._unknown_sessions[step] = max(unknown, self._unknown_sessions[step])
