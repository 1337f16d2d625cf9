"""Processes of a run and everything they start, each kept by a supervisor of its own.

A :class:`Launcher` starts them: the ordinary way, from the command line, or by a fork of a process that
has imported Django already, where that is possible and wanted.
"""

import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.forkserver_client import FAREWELL, HUNG_UP, ForkServer, ForkServerClient

_INSIDE: Final = Path(__file__).parent / "inside"
_READYING: Final = 5.0
"""Seconds that setting up a project may take, for its servers to be forked from there."""

_PARTING: Final = 0.2
"""Seconds that such a process has to end by itself; it needs some milliseconds."""

_READIED_MOST: Final = 8
"""How many processes are kept with a project that is set up: each has memory of its own."""

_TAIL: Final = 1 << 16
"""Bytes of a log that are enough for a message."""


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

    def finish(self, interruption: Cancellation, seconds: float) -> dict[str, Any]:
        """Wait for its end, for ``seconds`` at most, and return the supervisor's reports.

        These are ``exit``, ``late`` and ``flood``; there are none where the supervisor was killed. It is
        late, too, when even the supervisor does not report in time. Raises ``Cancelled``.
        """
        self.reports.settimeout(seconds + FAREWELL)
        reports: dict[str, Any] = {}
        ends = interruption.ends(self.kill)
        with ends, self.reports.makefile("rb") as lines, suppress(ConnectionResetError):
            try:
                for line in lines:
                    reports.update(json.loads(line))
                    if "exit" in reports:
                        break
            except TimeoutError:
                reports["late"] = True
        return reports

    def kill(self) -> None:
        """End all its processes at once; :meth:`end` waits for it."""
        if self._started:
            self._tell("kill")

    def terminate(self, seconds: float) -> None:
        """Ask it to end, and end it after ``seconds``; :meth:`end` waits for it."""
        self._tell(f"stop {seconds}")

    def end(self) -> None:
        """End all its processes, and wait until every one is gone; its last reports can still be read."""
        self.kill()
        with suppress(OSError):
            if not self._started:
                self.reports.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(self.reports, HUNG_UP)
        poll.poll(FAREWELL * 1000)

    def close(self) -> None:
        """Do the same, and let go of its reports.

        Nobody may be reading them in another thread by then: what that thread read would be of whatever else
        has been given the number of their descriptor since.
        """
        if self.reports.fileno() < 0:
            return
        self.end()
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
        self._warm: ForkServer | None = None
        self._readied: dict[str, ForkServerClient] = {}
        self._lock = threading.Lock()
        if warm and sys.platform == "linux" and python == sys.executable:
            self._warm = ForkServer(python)

    @property
    def is_warm(self) -> bool:
        """Whether there is a warm process, or will be."""
        return self._warm is not None

    def supervise(
        self,
        argv: Sequence[str],
        folder: Path,
        like: str = "",
        *,
        env: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> SupervisedProcess:
        """Return a process that will execute ``argv``, once ``folder`` is made and it is started.

        It can be forked only if ``env`` has the variables that it will be started with.
        Its output goes to ``folder / "log"``. ``like`` is what :meth:`ready` was told of such processes.
        ``wait`` is for the warm process to be ready: else this returns at once, and if that never is, the
        process has no reports.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            with self._lock:
                if self._is_forkable(argv, env):
                    for each in (self._readied.get(like), self._warm):
                        if each is not None and each.hand_over(theirs, wait=wait):
                            return SupervisedProcess(argv, folder, ours, lambda: None)
            return SupervisedProcess(argv, folder, ours, _cold_supervisor(theirs))

    def ready(self, like: str) -> None:
        """Have a project set up for the servers that are going to be started ``like`` this.

        It is worth it where there is more than one. ``like`` is JSON: ``argv``, ``env``, ``cwd`` as a server's,
        with ``inside/preload.py``'s ``PLACE`` as its folder, and ``settings``, what the settings module reads.
        """
        with self._lock:
            start = json.loads(like)
            if not self._is_forkable(start["argv"], start["env"]):
                return
            if self._warm is not None and like not in self._readied and len(self._readied) < _READIED_MOST:
                ours, theirs = socket.socketpair()
                with theirs:
                    handed_over = self._warm.hand_over(theirs, b"r")
                if not handed_over:
                    ours.close()
                    return
                self._readied[like] = ForkServerClient(ours, _READYING)
                with suppress(OSError):
                    ours.sendall(like.encode() + b"\n")

    def close(self) -> None:
        """End the warm processes; what they have forked is ended by those who hold it."""
        with self._lock:
            for each in self._readied.values():
                each.dismiss()
            for each in self._readied.values():
                each.is_gone(_PARTING)  # while its parent is there to collect it
            if self._warm is not None:
                self._warm.close()
                self._warm = None
            for each in self._readied.values():
                each.close()
            self._readied.clear()

    def _is_forkable(self, argv: Sequence[str], env: Mapping[str, str] | None) -> bool:
        """Return whether a process that executes ``argv``, with ``env``, can be a fork of the warm one."""
        if self._warm is None or env is None or not self._warm.starts_like(env):
            return False
        ours = Path(argv[1]).parent == _INSIDE if len(argv) > 1 else False
        return argv[0] == self.python and (list(argv[1:3]) == ["-m", "django"] or ours)


def tail(log: Path) -> bytes:
    """Return the end of ``log``, enough for a message; nothing where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read(_TAIL)
    except OSError:
        return b""


def _cold_supervisor(connection: socket.socket) -> Callable[[], None]:
    """Start a supervisor that listens on ``connection``; return what collects it at its end."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_INSIDE / "supervisor.py")],
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        start_new_session=True,
    )

    def reap() -> None:
        process.kill()  # it has hung up, or had its time: the server dies with its parent
        process.wait()

    return reap
