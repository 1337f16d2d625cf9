"""What leads to the lab: a file for the events of a process, and a socket that tells the lab to read it.

Another socket is opened for each request that waits in a meeting.
"""

import asyncio
import fcntl
import itertools
import json
import mmap
import os
import socket
import stat
import struct
import termios
import time
from typing import Any, Callable, Dict, List, Optional

from .forks import own_byte

_HIGH = 200
"""Descriptors of the probe's start here, so that the server's have the numbers they always had."""

_OFTEN = 1024
"""After so many events the bell is rung though nobody waits, so that a lab that is gone is found to be."""

_LINES = 1 << 18
_RECORDS = 1 << 19
"""Bytes of a process's file that are mapped for lines, and for records: of some 5,000 requests."""

ANSWER = bytearray(2048)
"""Where the kernel puts how much is left of the log: longer than what ``fcntl.ioctl`` would copy."""

left_told = memoryview(ANSWER).cast("i")
FIONREAD = termios.FIONREAD
ioctl = fcntl.ioctl

if hasattr(time, "monotonic_ns"):
    monotonic_ns = time.monotonic_ns
else:  # Python 3.6

    def monotonic_ns() -> int:
        """Return what ``time.monotonic_ns`` does."""
        return int(time.monotonic() * 1e9)


_FORMAT = "<qIIIIIB3x"
RECORD = struct.Struct(_FORMAT)
KINDS = ("request.begin", "db.use", "request.end")
"""What :data:`RECORD` can be of; the number in it begins with 1: where there is 0, nothing was written yet."""

RECORDS = {"format": _FORMAT, "fields": ["t", "o", "th", "r", "w", "c", "k"], "kinds": KINDS}
"""How the lab can read them, which is told it with the file; 0 in ``w`` and ``c`` stands for none."""

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
    behind that of the lines: ``record`` writes one, and raises ``ValueError`` when that memory is full. It is
    ``None`` where there is none, or where the size of the log, at whose start ``log`` is open, is not known
    so quickly.

    The socket is the bell: an empty line says that there is something to be read. It is rung only where
    somebody waits, which the lab tells in the first byte of a file that every process of the run maps
    (``ADDRESS-waits``); who rings takes that back. Where the file cannot be written, because the disk is
    full for example, the events go over the socket themselves.
    """

    record: Any = None
    has_records = True

    def __init__(self, address: str) -> None:
        self.address = address
        self.pid = -1
        self.own = own_byte()
        self.fd = -1
        self._file = -1
        self._remember: Optional[Callable[[bytes], Any]] = None
        self._now_and_then = itertools.cycle(bytes(_OFTEN - 1) + b"\1")
        self.log = _opened_again(2)
        self._at_start = self.log >= 0
        if not self._at_start:
            self.log = _raised(2)
        self.waits = _mapped(address + "-waits", 1)
        self.connect()

    def connect(self) -> None:
        """Connect this process to the lab; ``fd`` stays negative where the lab is gone.

        A forked child calls it for a channel of its own: until then, ``own[0]`` is 0 there.
        """
        for fd in (self.fd, self._file):
            if fd >= 0:
                os.close(fd)
        self.fd = self._file = -1
        self._remember = self.record = None
        self.pid = os.getpid()
        self.own[0] = 1
        with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(None)  # whatever the server's default is by now
                connection.connect(self.address)
            except OSError:
                return
            self.fd = _raised(connection.fileno())
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
            self._file = _raised(fd)
        except OSError:
            self.fd = -1
            self._remember = self.record = None
        finally:
            os.close(fd)

    def _map(self, fd: int, path: str) -> bool:
        """Map the beginning of the file; return whether it is: not where the disk has no room for that."""
        try:
            # Written, because memory for which the disk has no room would end the process when it is used.
            there = os.write(fd, bytes(_LINES + _RECORDS)) == _LINES + _RECORDS
        except OSError:
            there = False
        lines = _mapped(path, _LINES) if there else None
        records = _mapped(path, _RECORDS, _LINES) if there else None
        if lines is None or records is None:
            os.ftruncate(fd, 0)
            return False
        self._remember = lines.write
        if self.has_records and self._at_start:
            self.record = records.write
        return True

    def without_records(self) -> None:
        """Have all events be lines from now on, in this process and its children."""
        self.has_records = False
        self.record = None

    def write(self, fields: bytes) -> None:
        """Write an event: the time, the size of the log, and ``fields``, which end the line.

        Do nothing where the lab is gone, in a forked child that has no channel yet.
        """
        # What most of the probe's cost is made of: each call of another function of Python's can be measured.
        # The time comes first: a system call may let another thread do, and tell, what comes after this.
        now = monotonic_ns()
        try:
            if self._at_start:
                ioctl(self.log, FIONREAD, ANSWER)  # as ``_left``
                size = left_told[0]
            else:
                size = 0 if self.log < 0 else os.fstat(self.log).st_size
        except OSError:
            size = 0
        line = b'{"t":%d,"o":%d,%b' % (now, size, fields)
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
            self._remember = self.record = None

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


def _raised(fd: int) -> int:
    """Return a copy of ``fd`` that programs do not inherit; -1 where ``fd`` is closed."""
    for lowest in (_HIGH, 3):  # the second where a process may have few descriptors
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:
            continue
    return -1


def _opened_again(fd: int) -> int:
    """Return a descriptor at the start of the file that ``fd`` is open on; -1 where :func:`_left` fails."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return -1
        low = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
        try:
            again = _raised(low)
        finally:
            os.close(low)
        return again if _left(again) == os.fstat(fd).st_size else -1
    except OSError:  # no Linux, or nothing that may be read
        return -1


def _left(fd: int) -> int:
    """Return how many bytes there are behind the position of ``fd``.

    ``fstat`` would let another thread have the interpreter meanwhile. A call of ``ioctl`` that changes more
    than 1,024 bytes in their place does not, up to Python 3.13 (``Modules/fcntlmodule.c``). Threads share
    the bytes: what one of them reads is what the log holds by now, whoever has asked.
    """
    ioctl(fd, FIONREAD, ANSWER)
    return left_told[0]


def _mapped(path: str, size: int, offset: int = 0) -> Optional[mmap.mmap]:
    """Return ``size`` bytes of the file ``path``, shared by all who map it; ``None`` without it."""
    taken: List[int] = []
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        # ``mmap`` keeps a copy of the descriptor with the lowest number that is free.
        while fd < _HIGH and (not taken or taken[-1] < _HIGH - 1):
            taken.append(os.dup(fd))
    except OSError:  # a process that may have few descriptors
        _close(taken)
    try:
        return mmap.mmap(fd, size, offset=offset)
    except (OSError, ValueError):
        return None
    finally:
        _close([*taken, fd])


def _close(descriptors: List[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
