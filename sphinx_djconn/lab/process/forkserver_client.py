"""Connections to processes that fork others: the fork server, and its forks that have a project set up."""

import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.process.environ import inherited_environ

_INSIDE: Final = Path(__file__).parent / "inside"

EXIT_TIMEOUT: Final = 10.0
"""Seconds that a process may take to end; it needs some milliseconds."""

HANG_UP: Final = getattr(select, "POLLHUP", 0) | getattr(select, "POLLRDHUP", 0)
"""The events of ``poll`` that mean that the other end of a socket is closed."""

_IMPORT_TIMEOUT: Final = 20.0
"""Seconds that the fork server may take to import Django."""

_READ_AT_START: Final = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "GLIBC_", "OPENSSL_", "SSL_")
"""Prefixes of the variables that Python, or a library that it uses, reads when a process starts."""

_SET_IN_FORKS: Final = "PYTHONPATH"
"""One of these variables, which ``inside/forkserver.py`` applies in each fork."""


class ForkServerClient:
    """A connection to a process that forks supervisors.

    The process sends ``ready`` over ``control`` within ``seconds`` if it can fork, and otherwise something
    else.
    """

    def __init__(self, control: socket.socket, seconds: float) -> None:
        self._control = control
        self._control.settimeout(seconds)
        self._ready: bool | None = None

    def send_connection(self, connection: socket.socket, kind: bytes = b"f", *, wait: bool = True) -> bool:
        """Make the process fork one that reads from ``connection``; return whether it can.

        ``kind`` is ``f`` for a supervisor and ``r`` for a process that sets up a project. Without ``wait``,
        this does not wait until the process is ready.
        """
        if self._ready is None and wait:
            self._ready = self._receive_ready()
        if self._ready is False:
            return False
        try:
            socket.send_fds(self._control, [kind], [connection.fileno()])
        except OSError:
            self._ready = False
        return self._ready is not False

    def _receive_ready(self) -> bool:
        try:
            return self._control.recv(16) == b"ready"
        except OSError:
            return False

    def shut_down(self) -> None:
        """Make the process end after it has forked for the connections that were sent; return at once."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def wait_for_exit(self, seconds: float) -> bool:
        """Return whether the process ends within ``seconds``."""
        poll = select.poll()
        poll.register(self._control, HANG_UP)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Wait until the process has ended, which it does with the fork server at the latest."""
        self.wait_for_exit(EXIT_TIMEOUT)
        self._control.close()


class ForkServer(ForkServerClient):
    """The fork server of one interpreter, which this starts; ``inside/forkserver.py`` is its code."""

    def __init__(self, python: str) -> None:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process runs
        self._environ = {**inherited_environ(), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [python, str(_INSIDE / "forkserver.py"), str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                env=self._environ,
                start_new_session=True,
            )
        super().__init__(ours, _IMPORT_TIMEOUT)

    def is_compatible_with(self, env: Mapping[str, str]) -> bool:
        """Return whether an interpreter that is started with the variables ``env`` would be like this one."""
        return _read_at_start(env) == _read_at_start(self._environ)

    def close(self) -> None:
        """End the process, and wait for it."""
        self.shut_down()
        if not self.wait_for_exit(EXIT_TIMEOUT):
            self._process.kill()
        self._control.close()
        self._process.wait()
        self._errors.close()


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text for name, text in env.items() if name.startswith(_READ_AT_START) and name != _SET_IN_FORKS
    }
