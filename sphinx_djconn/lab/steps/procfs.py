"""Record which threads and descriptors the server's processes have, by ``/proc``.

At the end of each step, an event ``processes.seen`` has, for each process with a probe:

===============  ========================================================================
field            meaning
===============  ========================================================================
``p``            the serial of the process
``threads``      the serials of the threads that the kernel still has
``files``        how many descriptors are open on database files of this run
``locked``       whether a lock is held on one of them: SQLite then closes no descriptor
``connections``  the serials of the database connections whose socket is still open
===============  ========================================================================

This is independent of the probe, so it can contradict it: a thread may end without an event, and a connection
may be opened or closed unnoticed. Without ``/proc``, or without access to it, there are no such events.
"""

import os
import time
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.steps.idle import run_times

_MAX_ATTEMPTS: Final = 20
"""Attempts to inspect the processes while the server does nothing."""

_PAUSE: Final = 0.001
"""Seconds that a running thread is given before the next attempt."""

_DATABASE: Final = ".sqlite3"
_SOCKET: Final = "socket:["


class ProcessInspector:
    """Inspects the processes of the run in ``folder``, and emits events."""

    def __init__(self, collector: EventCollector, folder: Path) -> None:
        self._collector = collector
        self._state = collector.state
        self._databases = f"{os.path.realpath(folder)}{os.sep}"
        self._events_read = 0
        self._sockets: dict[int, dict[int, str]] = {}

    def record(self) -> None:
        """Emit ``processes.seen``, of a moment in which no thread was running and no event was written.

        A thread that runs may have written an event, and not yet done what it says: a connection that is
        collected closes its file a moment later.
        """
        inspected, counts, is_running = None, None, True
        for _ in range(_MAX_ATTEMPTS):
            self._collector.drain()
            if inspected is not None and counts == self._state.read_counts and not is_running:
                break
            counts = dict(self._state.read_counts)
            is_running = any(run_times(pid) is None for pid in self._state.running_pids())
            if is_running:
                time.sleep(_PAUSE)
            self._follow_connections()
            processes = map(self._inspect, sorted(self._state.pids))
            inspected = [process for process in processes if process is not None]
        if inspected:
            self._collector.emit("processes.seen", processes=inspected)

    def _follow_connections(self) -> None:
        """Remember the sockets of new database connections."""
        events = self._state.events[self._events_read :]
        self._events_read += len(events)
        for event in events:
            if event["k"] == "db.open" and "inode" in event:
                self._sockets.setdefault(event["p"], {})[event["c"]] = f"{_SOCKET}{event['inode']}]"

    def _inspect(self, process: int) -> dict[str, Any] | None:
        """Return the data of ``process``; ``None`` if it has ended, or if ``/proc`` does not show it."""
        pid = self._state.pids[process]
        if process in self._state.ended_processes:
            return None
        try:
            native_ids = {int(task.name) for task in os.scandir(f"/proc/{pid}/task")}
            targets = _descriptor_targets(pid)
        except (OSError, ValueError):
            return None
        files = [target for target in targets if self._is_database(target)]
        data: dict[str, Any] = {
            "p": process,
            "threads": [
                thread
                for (owner, thread), native_id in self._state.native_ids.items()
                if owner == process and native_id in native_ids
            ],
            "files": len(files),
        }
        if files and _has_locks(pid):
            data["locked"] = True
        sockets = self._sockets.get(process, {})
        if sockets:
            is_open = set(targets)
            self._sockets[process] = {c: socket for c, socket in sockets.items() if socket in is_open}
            data["connections"] = list(self._sockets[process])
        return data

    def _is_database(self, target: str) -> bool:
        return target.startswith(self._databases) and target.endswith(_DATABASE)


def _descriptor_targets(pid: int) -> list[str]:
    """Return what the descriptors of a process are open on."""
    targets = []
    with os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            try:
                targets.append(os.readlink(descriptor.path))  # noqa: PTH115 - only the text is needed
            except OSError:  # closed meanwhile
                continue
    return targets


def _has_locks(pid: int) -> bool:
    """Return whether the process holds a POSIX lock on any file."""
    try:
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return True  # unknown, so that an additional descriptor is not taken as evidence
    # "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; waiting ones have "->" before the kind.
    return any(str(pid) in line.split()[4:6] for line in locks)
