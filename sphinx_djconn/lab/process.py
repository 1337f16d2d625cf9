"""Processes of a run and everything they start, each kept by a supervisor of its own.

A :class:`Launcher` starts them: the ordinary way, from the command line, or by a fork of a process that
has imported Django already, where that is possible and wanted.
"""

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.interruption import Interruption

_INSIDE: Final = Path(__file__).parent / "inside"
_FAREWELL: Final = 10.0
"""Seconds the supervisor has for killing what is left; it needs some milliseconds."""

_WARMING: Final = 20.0
"""Seconds a warm process may take to import Django."""

_NOT_INHERITED: Final = frozenset({"RUN_MAIN", "PYTHONSTARTUP", "PYTHONSAFEPATH", "PYTHONINSPECT"})

_TAIL: Final = 1 << 16
"""Bytes of a log that are enough for a message."""

_HUNG_UP: Final = getattr(select, "POLLHUP", 0) | getattr(select, "POLLRDHUP", 0)


class SupervisedProcess:
    """A process under a supervisor, which ends with all that came of it when this object is closed.

    ``supervisor`` is a socket to one that waits to be told what to start. When the process that holds
    this object dies, the supervisor hears it, ends everything and removes ``folder``, which is made after
    this object: so nothing can be left of it, whenever that is.
    """

    def __init__(
        self, argv: Sequence[str], folder: Path, supervisor: socket.socket, reap: Callable[[], None]
    ) -> None:
        self.log = folder / "log"
        self.reports = supervisor
        """The stream of the supervisor's reports, lines of JSON."""
        self._argv = argv
        self._reap = reap
        self._started = False
        self._tell(json.dumps({"folder": str(folder)}))

    def start(self, *, env: Mapping[str, str], cwd: Path, seconds: float, log_limit: int = 1 << 24) -> None:
        """Start it. ``seconds`` bounds its whole life, ``log_limit`` (bytes) what it may write to its log."""
        spec = {
            "argv": list(self._argv),
            "env": dict(env),
            "cwd": str(cwd),
            "log": str(self.log),
            "log_limit": log_limit,
            "seconds": seconds,
        }
        self._started = True
        self._tell(json.dumps(spec))

    def finish(self, interruption: Interruption, seconds: float) -> dict[str, Any]:
        """Wait for its end, for ``seconds`` at most, and return the supervisor's reports.

        These are ``exit``, ``late`` and ``flood``. Raises ``Cancelled``.
        """
        self.reports.settimeout(seconds + _FAREWELL)
        reports: dict[str, Any] = {}
        with interruption.ends(self.kill), self.reports.makefile("rb") as lines:
            for line in lines:
                reports.update(json.loads(line))
                if "exit" in reports:
                    break
        return reports

    def kill(self) -> None:
        """End all its processes at once; :meth:`close` waits for it."""
        if self._started:
            self._tell("kill")

    def terminate(self, seconds: float) -> None:
        """Ask it to end, and end it after ``seconds``; :meth:`close` waits for it."""
        self._tell(f"stop {seconds}")

    def close(self) -> None:
        """End all its processes, and wait until every one is gone."""
        if self.reports.fileno() < 0:
            return
        self.kill()
        with suppress(OSError):
            if not self._started:
                self.reports.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(self.reports, _HUNG_UP)
        poll.poll(_FAREWELL * 1000)
        self.reports.close()
        self._reap()

    def _tell(self, command: str) -> None:
        with suppress(OSError):  # it is gone already
            self.reports.sendall(command.encode() + b"\n")


class Launcher:
    """Starts processes with the interpreter ``python``.

    ``warm`` asks for forks of a warm process where the command is one that can be forked, on Linux; the
    trace of a run is the same either way, which a test holds.
    """

    def __init__(self, python: str, *, warm: bool) -> None:
        self.python = python
        self._warm: _WarmProcess | None = None
        self._lock = threading.Lock()
        if warm and sys.platform == "linux" and python == sys.executable:
            self._warm = _WarmProcess(python)

    def supervise(self, argv: Sequence[str], folder: Path) -> SupervisedProcess:
        """Return a process that will execute ``argv``, once ``folder`` is made and it is started.

        Its output goes to ``folder / "log"``.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            if self._is_forkable(argv):
                with self._lock:
                    if self._warm is not None and self._warm.hand_over(theirs):
                        return SupervisedProcess(argv, folder, ours, lambda: None)
            return SupervisedProcess(argv, folder, ours, _cold_supervisor(theirs))

    def close(self) -> None:
        """End the warm process; what it has forked is ended by those who hold it."""
        with self._lock:
            if self._warm is not None:
                self._warm.close()
                self._warm = None

    def _is_forkable(self, argv: Sequence[str]) -> bool:
        ours = Path(argv[1]).parent == _INSIDE if len(argv) > 1 else False
        return argv[0] == self.python and (list(argv[1:3]) == ["-m", "django"] or ours)


class _WarmProcess:
    """The warm process of one interpreter; ``inside/warm.py`` is its code."""

    def __init__(self, python: str) -> None:
        self._control, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process is
        environ = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [python, str(_INSIDE / "warm.py"), str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                env={**inherited(), **environ},
                start_new_session=True,
            )
        self._ready: bool | None = None

    def hand_over(self, connection: socket.socket) -> bool:
        """Have a supervisor forked that listens on ``connection``; return whether that was possible."""
        if self._ready is None:
            self._ready = self._is_ready()
        if not self._ready:
            return False
        try:
            socket.send_fds(self._control, [b"f"], [connection.fileno()])
        except OSError:
            self._ready = False
        return self._ready

    def _is_ready(self) -> bool:
        self._control.settimeout(_WARMING)
        try:
            return self._control.recv(16) == b"ready"
        except OSError:
            return False

    def close(self) -> None:
        self._control.close()
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def tail(log: Path) -> bytes:
    """Return the end of ``log``, enough for a message; nothing where there is no such file."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read(_TAIL)
    except FileNotFoundError:
        return b""


def inherited() -> dict[str, str]:
    """Return the variables that a process of the lab's has from the one that builds the docs."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJCONN_", "DJANGO_RUNSERVER")) and name not in _NOT_INHERITED
    }


def _cold_supervisor(connection: socket.socket) -> Callable[[], None]:
    """Start a supervisor that listens on ``connection``; return what collects it at its end."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_INSIDE / "supervisor.py")],
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        start_new_session=True,
    )

    def reap() -> None:
        try:
            process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()  # the server dies with its parent
            process.wait()

    return reap
