"""The channel to the lab: a file for the events of a process, and a socket that wakes the lab up to read it.

Each request that waits at a barrier opens another socket.
"""

import asyncio
import itertools
import json
import os
import socket
import struct
import time
from typing import Any, Callable, Dict, Optional, Tuple

from .fds import high_copy, map_file
from .forks import fork_marker
from .log_position import bytes_left, reopened

_EVENTS_PER_WAKE_UP = 1024
"""After so many events, the lab is woken up even if it doesn't wait: that shows whether it still exists."""

_BYTES_OF_LINES = 1 << 18
_BYTES_OF_RECORDS = 1 << 19
"""Bytes of a process's file that are mapped for lines, and for records: enough for about 5,000 requests."""


def _new_clock() -> Any:
    """Return an iterator over pairs: the serial of the next event, from 1 on, and the time in seconds.

    One call returns both without releasing the interpreter's lock, so that serials and times have the same
    order, whichever threads take them.
    """
    return zip(itertools.count(1), iter(time.monotonic, None))


RECORD = struct.Struct("=d8sI4sI3sx")
"""A packed event: the time in seconds, :data:`OWNER`, the number of the request, the size of the log as the
kernel wrote it, the serial of the event, and :data:`THREAD`."""

OWNER = struct.Struct("=II")
"""The serials of a database wrapper and its connection; 0 for none."""

THREAD = struct.Struct("=HB")
"""The serial of a thread, and the position of the kind in :data:`KINDS`, from 1 on. 0 is not written yet."""

KINDS = ("request.begin", "db.use", "request.end", "request.view", "request.view.end")

RECORDS = {"format": "=dIIIIIHBx", "fields": ["t", "w", "c", "r", "o", "s", "th", "k"], "kinds": KINDS}
"""The description of the records, which the lab gets with the name of the file."""

_Socket = socket.socket
"""The original class, which a server such as gunicorn's gevent worker may replace later."""


class Channel:
    """Writes events, a line of JSON each, to a file that only this process writes.

    The file begins with mapped memory, full of zeros. ``mmap.write`` copies a line there without releasing the
    interpreter's lock; a system call would release it, which is slow in a busy server. When the memory is full,
    lines are appended to the file. Both take one atomic call that never blocks. So threads, event loops, signal
    handlers and callbacks of the garbage collector can write at any time, without a lock. The kernel keeps what
    was written even if the process is killed.

    The events that most requests have are not lines but records of the structure ``RECORD``, which take less
    time. They are written to memory behind that of the lines: ``records.write`` raises ``ValueError`` when it
    is full. ``records`` is ``None`` without such memory, or if getting the size of the log needs a slower
    system call. Else ``log`` is a descriptor at the start of the log.

    Each event has a serial, from 1 on in each process, which shows if an event is missing.

    An empty line over the socket wakes the lab up. It is only sent if the lab waits: then the first byte of the
    file ``ADDRESS-waits``, which every process of the run maps, is not 0. The process that wakes the lab up
    sets it to 0. If the file of events cannot be written, because the disk is full for example, events are sent
    over the socket instead.
    """

    records: Any = None
    has_records = True
    clock: Any = None

    def __init__(self, address: str) -> None:
        self.address = address
        self.pid = -1
        self.not_forked = fork_marker()
        self.fd = -1
        self._file = -1
        self._write_line: Optional[Callable[[bytes], Any]] = None
        self._wake_up_due = itertools.cycle(bytes(_EVENTS_PER_WAKE_UP - 1) + b"\1")
        self.log = reopened(2)
        self._at_start = self.log >= 0
        if not self._at_start:
            self.log = high_copy(2)
        self.lab_waits = map_file(address + "-waits", 1)
        self.connect()

    def connect(self) -> None:
        """Connect this process to the lab; ``fd`` stays negative if the lab is gone.

        A forked child calls this to get a channel of its own. Until then, its ``not_forked[0]`` is 0.
        """
        for fd in (self.fd, self._file):
            if fd >= 0:
                os.close(fd)
        self.fd = self._file = -1
        self._write_line = self.records = None
        self.pid = os.getpid()
        self.clock = _new_clock()
        self.not_forked[0] = 1
        with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(None)  # the server may have set another default
                connection.connect(self.address)
            except OSError:
                return
            self.fd = high_copy(connection.fileno())
        self._open_file()

    def _open_file(self) -> None:
        if self.lab_waits is None:
            return
        # The path is unique: pids are reused, but not at the same time.
        path = "%s-%d-%d" % (self.address, self.pid, int(time.time() * 1e9))
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError:
            return
        try:
            lines, records = (_BYTES_OF_LINES, _BYTES_OF_RECORDS) if self._map(fd, path) else (0, 0)
            message = {
                "k": "file",
                "name": os.path.basename(path),
                "lines": lines,
                "records": records,
                **RECORDS,
            }
            os.write(self.fd, json.dumps(message).encode() + b"\n")
            self._file = high_copy(fd)
        except OSError:
            self.fd = -1
            self._write_line = self.records = None
        finally:
            os.close(fd)

    def _map(self, fd: int, path: str) -> bool:
        """Map the beginning of the file; return whether that worked: it doesn't if the disk is full."""
        try:
            # Allocate the blocks: if the disk is full, using the memory would kill the process.
            size = _BYTES_OF_LINES + _BYTES_OF_RECORDS
            is_allocated = os.write(fd, bytes(size)) == size
        except OSError:
            is_allocated = False
        lines = map_file(path, _BYTES_OF_LINES) if is_allocated else None
        records = map_file(path, _BYTES_OF_RECORDS, _BYTES_OF_LINES) if is_allocated else None
        if lines is None or records is None:
            os.ftruncate(fd, 0)
            return False
        self._write_line = lines.write
        if self.has_records and self._at_start:
            self.records = records
        return True

    def without_records(self) -> None:
        """Write all events as lines from now on, in this process and its children."""
        self.has_records = False
        self.records = None

    def write(self, fields: bytes, stamp: Optional[Tuple[int, float]] = None) -> None:
        """Write an event: the time, the size of the log, its serial, and ``fields``, which end the line.

        ``stamp`` is what ``clock`` returned for it, if it was called already. Does nothing if the lab is gone,
        or in a forked child that has no channel yet.
        """
        # The time is first: in a system call, another thread may run, and emit an event that is later.
        serial, now = next(self.clock) if stamp is None else stamp
        try:
            size = bytes_left(self.log) if self._at_start else os.fstat(self.log).st_size
        except OSError:  # for example, if it is closed
            size = 0
        line = b'{"t":%d,"o":%d,"s":%d,%b' % (round(now * 1e9), size, serial, fields)
        write_line = self._write_line
        if write_line is None:
            if not self._append(line):
                return
        else:
            try:
                write_line(line)
            except ValueError:  # full
                self._write_line = None
                if not self._append(line):
                    return
        # The lab sets ``lab_waits`` and then reads: it reads this event, or this process sees that it waits.
        if self.lab_waits[0] or next(self._wake_up_due):  # type: ignore[index]  # set if there is a file
            self.wake_lab()

    def _append(self, line: bytes) -> bool:
        """Append ``line`` to the file; return whether that worked. If not, it is sent over the socket."""
        if self.fd < 0:
            return False
        try:
            if self._file >= 0 and os.write(self._file, line) == len(line):
                return True
        except OSError:
            pass
        self._file = -1  # a part of the line may be the end of the file; the lab ignores it
        self._send(line)
        return False

    def wake_lab(self) -> None:
        """Wake the lab up to read events."""
        self.lab_waits[0] = 0  # type: ignore[index]
        self._send(b"\n")

    def _send(self, line: bytes) -> None:
        try:
            os.write(self.fd, line)
        except OSError:  # the lab is gone
            self.fd = -1
            self._write_line = self.records = None

    def wait_at_barrier(self, event: Dict[str, Any]) -> None:
        """Send ``event`` of a request that arrives at a barrier, and wait until the lab releases it."""
        # Not ``_Socket``: if the server runs greenlets, only this one must wait.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(None)
                connection.connect(self.address)
                connection.sendall(json.dumps(event).encode() + b"\n")
                connection.recv(1)
            except OSError:
                return

    async def wait_at_barrier_in_loop(self, event: Dict[str, Any]) -> None:
        """Do the same as a coroutine, so that the other tasks of the event loop go on."""
        loop = asyncio.get_event_loop()
        with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.setblocking(False)
                await loop.sock_connect(connection, self.address)
                await loop.sock_sendall(connection, json.dumps(event).encode() + b"\n")
                await loop.sock_recv(connection, 1)
            except OSError:
                return
