"""The socket to the lab: one for each process, and one for each request that waits in a meeting."""

import asyncio
import fcntl
import json
import os
import socket
from typing import Any, Callable, Dict

_HIGH = 200
"""Descriptors of the probe's start here, so that the server's have the numbers they always had."""

_Socket = socket.socket
"""As it is now, before a server like gunicorn's gevent worker puts another in its place."""


class Channel:
    """Writes events to the lab, a line of JSON each, in one ``write``.

    One small ``write`` to a local stream socket is atomic: threads, signal handlers and callbacks of the
    garbage collector can write at any time, and no lock is needed that one of them could hold. The
    kernel keeps what was written when the process dies. It also holds the writer up while its buffers
    are full, some hundred events on Linux, so that a lab that is slow to read loses none.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.pid = -1
        self.fd = -1
        self.log = _raised(2)
        self.forked: Callable[[], None] = self.connect
        self.connect()

    def connect(self) -> None:
        """Connect this process to the lab; ``fd`` stays negative where the lab is gone.

        A forked child calls it for a channel of its own.
        """
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.pid = os.getpid()
        with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(None)  # whatever the server's default is by now
                connection.connect(self.address)
            except OSError:
                return
            self.fd = _raised(connection.fileno())

    def send(self, event: Dict[str, Any]) -> None:
        """Write ``event``; do nothing where the lab is gone, in a forked child after ``forked()``."""
        if self.fd < 0:
            return
        if os.getpid() != self.pid:
            self.forked()
        try:
            event["o"] = 0 if self.log < 0 else os.fstat(self.log).st_size
            # ``default``, because a setting can be any object.
            os.write(self.fd, json.dumps(event, default=str).encode() + b"\n")
        except OSError:
            self.fd = -1

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
