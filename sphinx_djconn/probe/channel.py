"""What leads to the lab: a file for the events of a process, and a socket that tells the lab to read it.

Another socket is opened for each request that waits in a meeting.
"""

import asyncio
import itertools
import json
import os
import socket
import struct
import time
from typing import Any, Callable, Dict, Optional, Tuple

from .fds import mapped, raised
from .forks import own_byte
from .log_position import left, opened_again

_OFTEN = 1024
"""After so many events the bell is rung though nobody waits, so that a lab that is gone is found to be."""

_LINES = 1 << 18
_RECORDS = 1 << 19
"""Bytes of a process's file that are mapped for lines, and for records: of some 5,000 requests."""


def _new_clock() -> Any:
    """Return an iterator over the serial of the next event, from 1 on, and the time in seconds.

    Both come out of one call that doesn't release the interpreter, so that the order of the serials is the
    order of the times, whichever thread takes them.
    """
    return zip(itertools.count(1), iter(time.monotonic, None))


RECORD = struct.Struct("=d8sI4sI3sx")
"""What is packed, in as few steps as can be: the time in seconds, :data:`OWNER`, the number of the request,
the size of the log as the kernel gave it, the serial of the event, and :data:`THREAD`. 0 stands for no wrapper
and no connection."""

OWNER = struct.Struct("=II")
"""The serials of a database wrapper and its connection."""

THREAD = struct.Struct("=HB")
"""The serial of a thread, and what the event is of :data:`KINDS`, from 1 on: 0 is where none is written yet."""

KINDS = ("request.begin", "db.use", "request.end", "request.view", "request.view.end")

RECORDS = {"format": "=dIIIIIHBx", "fields": ["t", "w", "c", "r", "o", "s", "th", "k"], "kinds": KINDS}
"""How the lab reads them, which is told it with the file."""

_Socket = socket.socket
"""As it is now, before a server like gunicorn's gevent worker puts another in its place."""


class Channel:
    """Writes events, a line of JSON each, into a file of this process's own.

    The file begins with memory that is mapped, full of zeros until it is written: a call of ``mmap.write``
    copies a line and moves on without leaving the interpreter to another thread, which is what makes system
    calls dear in a busy server. When it is full, lines are appended to the file. Each way is one call, which
    is atomic and waits for nobody: threads, event loops, signal handlers and callbacks of the garbage
    collector can write at any time, and no lock is needed that one of them could hold. The kernel keeps what
    was written when the process dies, however it dies.

    The events that most requests have are no lines but records of ``RECORD``, which take less time, in memory
    behind that of the lines: ``records.write`` writes one, and raises ``ValueError`` when that memory is full.
    ``records`` is ``None`` where there is none, or where the size of the log, at whose start ``log`` is open,
    is not known so quickly.

    Each event has a serial, from 1 on in each process: whoever reads them sees whether one is missing.

    The socket is the bell: an empty line says that there is something to be read. It is rung only where
    somebody waits, which the lab tells in the first byte of a file that every process of the run maps
    (``ADDRESS-waits``); who rings takes that back. Where the file cannot be written, because the disk is
    full for example, the events go over the socket themselves.
    """

    records: Any = None
    has_records = True
    clock: Any = None

    def __init__(self, address: str) -> None:
        self.address = address
        self.pid = -1
        self.own = own_byte()
        self.fd = -1
        self._file = -1
        self._remember: Optional[Callable[[bytes], Any]] = None
        self._now_and_then = itertools.cycle(bytes(_OFTEN - 1) + b"\1")
        self.log = opened_again(2)
        self._at_start = self.log >= 0
        if not self._at_start:
            self.log = raised(2)
        self.waits = mapped(address + "-waits", 1)
        self.connect()

    def connect(self) -> None:
        """Connect this process to the lab; ``fd`` stays negative where the lab is gone.

        A forked child calls it for a channel of its own: until then, ``own[0]`` is 0 there.
        """
        for fd in (self.fd, self._file):
            if fd >= 0:
                os.close(fd)
        self.fd = self._file = -1
        self._remember = self.records = None
        self.pid = os.getpid()
        self.clock = _new_clock()
        self.own[0] = 1
        with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(None)  # whatever the server's default is by now
                connection.connect(self.address)
            except OSError:
                return
            self.fd = raised(connection.fileno())
        self._open_file()

    def _open_file(self) -> None:
        if self.waits is None:
            return
        # No two processes have the same: a number may be given again, but not at the same time.
        path = "%s-%d-%d" % (self.address, self.pid, int(time.time() * 1e9))
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError:
            return
        try:
            lines, records = (_LINES, _RECORDS) if self._map(fd, path) else (0, 0)
            told = {"k": "file", "name": os.path.basename(path), "lines": lines, "records": records, **RECORDS}
            os.write(self.fd, json.dumps(told).encode() + b"\n")
            self._file = raised(fd)
        except OSError:
            self.fd = -1
            self._remember = self.records = None
        finally:
            os.close(fd)

    def _map(self, fd: int, path: str) -> bool:
        """Map the beginning of the file; return whether it is: not where the disk has no room for that."""
        try:
            # Written, because memory for which the disk has no room would end the process when it is used.
            there = os.write(fd, bytes(_LINES + _RECORDS)) == _LINES + _RECORDS
        except OSError:
            there = False
        lines = mapped(path, _LINES) if there else None
        records = mapped(path, _RECORDS, _LINES) if there else None
        if lines is None or records is None:
            os.ftruncate(fd, 0)
            return False
        self._remember = lines.write
        if self.has_records and self._at_start:
            self.records = records
        return True

    def without_records(self) -> None:
        """Have all events be lines from now on, in this process and its children."""
        self.has_records = False
        self.records = None

    def write(self, fields: bytes, stamp: Optional[Tuple[int, float]] = None) -> None:
        """Write an event: the time, the size of the log, its serial, and ``fields``, which end the line.

        ``stamp`` is what ``clock`` has returned for it, if anything has. Do nothing where the lab is gone, in a
        forked child that has no channel yet.
        """
        # The time comes first: a system call may let another thread do, and tell, what comes after this.
        serial, now = next(self.clock) if stamp is None else stamp
        try:
            size = left(self.log) if self._at_start else os.fstat(self.log).st_size
        except OSError:  # where it is closed, too
            size = 0
        line = b'{"t":%d,"o":%d,"s":%d,%b' % (round(now * 1e9), size, serial, fields)
        remember = self._remember
        if remember is None:
            if not self._append(line):
                return
        else:
            try:
                remember(line)
            except ValueError:  # full
                self._remember = None
                if not self._append(line):
                    return
        # The lab says that it waits, and then reads: this event is read then, or sees that it waits.
        if self.waits[0] or next(self._now_and_then):  # type: ignore[index]  # without it there is no file
            self.ring()

    def _append(self, line: bytes) -> bool:
        """Write ``line`` behind the memory; return whether it is there. If not, it was sent instead."""
        if self.fd < 0:
            return False
        try:
            if self._file >= 0 and os.write(self._file, line) == len(line):
                return True
        except OSError:
            pass
        self._file = -1  # what is there of the line is the file's end, and counts for nothing
        self._send(line)
        return False

    def ring(self) -> None:
        """Tell the lab, which waits, that there is something to be read."""
        self.waits[0] = 0  # type: ignore[index]
        self._send(b"\n")

    def _send(self, line: bytes) -> None:
        try:
            os.write(self.fd, line)
        except OSError:  # the lab is gone
            self.fd = -1
            self._remember = self.records = None

    def meet(self, event: Dict[str, Any]) -> None:
        """Tell the lab that a request has come to a meeting, and wait until the lab lets it go."""
        # The socket of a greenlet, where the server is made of these: others must go on.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(None)
                connection.connect(self.address)
                connection.sendall(json.dumps(event).encode() + b"\n")
                connection.recv(1)
            except OSError:
                return

    async def meet_in_loop(self, event: Dict[str, Any]) -> None:
        """Do the same in an event loop, whose other tasks go on."""
        loop = asyncio.get_event_loop()
        with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.setblocking(False)
                await loop.sock_connect(connection, self.address)
                await loop.sock_sendall(connection, json.dumps(event).encode() + b"\n")
                await loop.sock_recv(connection, 1)
            except OSError:
                return
