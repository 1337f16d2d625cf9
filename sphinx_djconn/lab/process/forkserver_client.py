"""Processes that fork others: the warm one, and those of it that have a project set up as well."""

import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_INSIDE: Final = Path(__file__).parent / "inside"
FAREWELL: Final = 10.0
"""Seconds that a process has for ending; it needs some milliseconds."""

_WARMING: Final = 20.0
"""Seconds a warm process may take to import Django."""

_NOT_INHERITED: Final = frozenset({"RUN_MAIN", "PYTHONSTARTUP", "PYTHONSAFEPATH", "PYTHONINSPECT"})

_READ_AT_START: Final = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "GLIBC_", "OPENSSL_", "SSL_")
"""How the names of variables begin that Python, or a library below it, reads when a process starts."""

_SET_IN_FORKS: Final = "PYTHONPATH"
"""One of these that a fork has nevertheless: ``inside/forkserver.py`` makes the path anew."""

HUNG_UP: Final = getattr(select, "POLLHUP", 0) | getattr(select, "POLLRDHUP", 0)


class ForkServerClient:
    """A process that forks supervisors, at the other end of ``control``.

    It says ``ready`` when it can, within ``seconds``, or something else.
    """

    def __init__(self, control: socket.socket, seconds: float) -> None:
        self._control = control
        self._control.settimeout(seconds)
        self._ready: bool | None = None

    def hand_over(self, connection: socket.socket, kind: bytes = b"f", *, wait: bool = True) -> bool:
        """Have what is to be forked listen on ``connection``; return whether that was possible."""
        if self._ready is None and wait:
            self._ready = self._is_ready()
        if self._ready is False:
            return False
        try:
            socket.send_fds(self._control, [kind], [connection.fileno()])
        except OSError:
            self._ready = False
        return self._ready is not False

    def _is_ready(self) -> bool:
        try:
            return self._control.recv(16) == b"ready"
        except OSError:
            return False

    def dismiss(self) -> None:
        """Tell it to end when it has forked what was handed over."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def is_gone(self, seconds: float) -> bool:
        """Return whether it ends within ``seconds``."""
        poll = select.poll()
        poll.register(self._control, HUNG_UP)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Wait until it is gone; it ends with the warm process at the latest."""
        self.is_gone(FAREWELL)
        self._control.close()


class ForkServer(ForkServerClient):
    """The warm process of one interpreter; ``inside/forkserver.py`` is its code."""

    def __init__(self, python: str) -> None:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process is
        self._environ = {**inherited(), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [python, str(_INSIDE / "forkserver.py"), str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                env=self._environ,
                start_new_session=True,
            )
        super().__init__(ours, _WARMING)

    def starts_like(self, env: Mapping[str, str]) -> bool:
        """Return whether an interpreter that is started with the variables ``env`` is as this one is."""
        return _read_at_start(env) == _read_at_start(self._environ)

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self.dismiss()
        if not self.is_gone(FAREWELL):
            self._process.kill()
        self._control.close()
        self._process.wait()
        self._errors.close()


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text for name, text in env.items() if name.startswith(_READ_AT_START) and name != _SET_IN_FORKS
    }


def inherited() -> dict[str, str]:
    """Return the variables that a process of the lab's has from the one that builds the docs."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJCONN_", "DJANGO_RUNSERVER")) and name not in _NOT_INHERITED
    }
