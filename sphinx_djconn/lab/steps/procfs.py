"""The kernel as a witness: which threads and descriptors the server's processes have, by ``/proc``.

At the end of each step, an event ``processes.seen`` says of each process that has the probe:

===============  ========================================================================
field            meaning
===============  ========================================================================
``p``            the serial of the process
``threads``      the serials of the threads that the kernel still has
``files``        how many descriptors are open on database files of this run
``locked``       whether a lock is held on one of them: SQLite then closes no descriptor
``connections``  the serials of the database connections whose socket is still open
===============  ========================================================================

What needs no probe can contradict it: a thread that has ended without a word, a connection that was opened
or closed unseen. There is none of it where the system has no ``/proc``, or does not show it.
"""

import os
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.events.collector import EventCollector

_LOOKS: Final = 20
"""Looks that are made at most until the server has done nothing between two of them."""

_DATABASE: Final = ".sqlite3"
_SOCKET: Final = "socket:["


class ProcessInspector:
    """Looks at the processes of a run, whose folder is ``folder``, and tells ``feed``."""

    def __init__(self, feed: EventCollector, folder: Path) -> None:
        self._feed = feed
        self._databases = f"{os.path.realpath(folder)}{os.sep}"
        self._read = 0
        self._sockets: dict[int, dict[int, str]] = {}

    def look(self) -> None:
        """Emit ``processes.seen``, of a moment in which no event was written."""
        feed, found, before = self._feed, None, None
        for _ in range(_LOOKS):
            feed.drain()
            if found is not None and before == feed.read:
                break
            before = dict(feed.read)
            self._follow()
            found = [seen for process in sorted(feed.pids) if (seen := self._seen(process)) is not None]
        if found:
            feed.emit("processes.seen", processes=found)

    def _follow(self) -> None:
        """Note the sockets of the database connections that were opened."""
        events = self._feed.events[self._read :]
        self._read += len(events)
        for event in events:
            if event["k"] == "db.open" and "inode" in event:
                self._sockets.setdefault(event["p"], {})[event["c"]] = f"{_SOCKET}{event['inode']}]"

    def _seen(self, process: int) -> dict[str, Any] | None:
        """Return what there is of ``process``; ``None`` if it has ended, or nothing is shown of it."""
        feed, pid = self._feed, self._feed.pids[process]
        if process in feed.gone:
            return None
        try:
            tasks = {int(task.name) for task in os.scandir(f"/proc/{pid}/task")}
            targets = _targets(pid)
        except (OSError, ValueError):
            return None
        sockets = self._sockets.get(process, {})
        files = [target for target in targets if self._is_database(target)]
        seen: dict[str, Any] = {
            "p": process,
            "threads": [
                thread for (p, thread), native in feed.natives.items() if p == process and native in tasks
            ],
            "files": len(files),
        }
        if files and _has_locks(pid):
            seen["locked"] = True
        if sockets:
            there = set(targets)
            self._sockets[process] = {c: socket for c, socket in sockets.items() if socket in there}
            seen["connections"] = list(self._sockets[process])
        return seen

    def _is_database(self, target: str) -> bool:
        return target.startswith(self._databases) and target.endswith(_DATABASE)


def _targets(pid: int) -> list[str]:
    """Return what the descriptors of a process are open on."""
    targets = []
    with os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            try:
                targets.append(os.readlink(descriptor.path))  # noqa: PTH115 - a text is all that is needed
            except OSError:  # closed since
                continue
    return targets


def _has_locks(pid: int) -> bool:
    """Return whether the process holds a POSIX lock on any file."""
    try:
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return True  # not known: then a descriptor too many is no sign of anything
    # "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; waiting ones have "->" before the kind.
    return any(str(pid) in line.split()[4:6] for line in locks)
