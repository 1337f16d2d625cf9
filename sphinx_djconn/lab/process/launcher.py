"""Starts the processes of a run, each with everything that it starts under a supervisor of its own.

A :class:`Launcher` starts them from the command line, or by a fork of a process that has imported Django
already.
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
from sphinx_djconn.lab.process.forkserver_client import EXIT_TIMEOUT, HANG_UP, ForkServer, ForkServerClient

_INSIDE: Final = Path(__file__).parent / "inside"

_PRELOAD_TIMEOUT: Final = 5.0
"""Seconds that setting up a project may take."""

_PRELOADED_EXIT_TIMEOUT: Final = 0.2
"""Seconds that a process with a project set up may take to end by itself; it needs some milliseconds."""

_MAX_PRELOADED: Final = 8
"""How many processes with a project set up are kept; each has memory of its own."""

_TAIL: Final = 1 << 16
"""Bytes of a log that are enough for a message."""


class SupervisedProcess:
    """A process under a supervisor. Closing it ends the process and all its descendants.

    ``supervisor`` is a socket of a supervisor that waits for a command to start. When the process that holds
    this object dies, the supervisor's end of the socket hangs up, and it ends everything and removes
    ``folder``. The folder must be created after this object, so that it is never left behind.
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
        self._send(json.dumps({"folder": str(folder)}))

    def start(self, *, env: Mapping[str, str], cwd: Path, seconds: float, log_limit: int = 1 << 24) -> None:
        """Start it. It may run for ``seconds``, and write ``log_limit`` bytes to its log."""
        spec = {
            "argv": list(self._argv),
            "env": dict(env),
            "cwd": str(cwd),
            "log": str(self.log),
            "log_limit": log_limit,
            "seconds": seconds,
        }
        self._started = True
        self._send(json.dumps(spec))

    def finish(self, cancellation: Cancellation, seconds: float) -> dict[str, Any]:
        """Wait for its end, at most ``seconds``, and return the supervisor's reports by name.

        These are ``exit`` (the status), ``late`` and ``flood``. ``late`` is also set if the supervisor does not
        report in time. There are none if the supervisor was killed. Raises :class:`Cancelled`.
        """
        self.reports.settimeout(seconds + EXIT_TIMEOUT)
        reports: dict[str, Any] = {}
        killing = cancellation.on_cancel(self.kill)
        with killing, self.reports.makefile("rb") as lines, suppress(ConnectionResetError):
            try:
                for line in lines:
                    reports.update(json.loads(line))
                    if "exit" in reports:
                        break
            except TimeoutError:
                reports["late"] = True
        return reports

    def kill(self) -> None:
        """Kill all its processes, and return at once; :meth:`end` waits for them."""
        if self._started:
            self._send("kill")

    def terminate(self, seconds: float) -> None:
        """Send SIGTERM, and SIGKILL after ``seconds``; return at once. :meth:`end` waits for it."""
        self._send(f"stop {seconds}")

    def end(self) -> None:
        """Kill all its processes, and wait until all have ended. Its last reports can still be read."""
        self.kill()
        with suppress(OSError):
            if not self._started:
                self.reports.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(self.reports, HANG_UP)
        poll.poll(EXIT_TIMEOUT * 1000)

    def close(self) -> None:
        """Kill all its processes, wait until all have ended, and close the stream of reports.

        No other thread may be reading the stream: its descriptor could be reused, and that thread would read
        from another file.
        """
        if self.reports.fileno() < 0:
            return
        self.end()
        self.reports.close()
        self._reap()

    def _send(self, command: str) -> None:
        with suppress(OSError):  # the supervisor has ended
            self.reports.sendall(command.encode() + b"\n")


class Launcher:
    """Starts processes with the interpreter ``python``.

    With ``warm``, and on Linux, they are forks of a fork server if their command allows that. The trace of a
    run is the same in both cases; tests check it.
    """

    def __init__(self, python: str, *, warm: bool) -> None:
        self.python = python
        self._fork_server: ForkServer | None = None
        self._preloaded: dict[str, ForkServerClient] = {}
        self._lock = threading.Lock()
        if warm and sys.platform == "linux" and python == sys.executable:
            self._fork_server = ForkServer(python)

    @property
    def is_warm(self) -> bool:
        """Whether there is a fork server, which may still be starting."""
        return self._fork_server is not None

    def supervise(
        self,
        argv: Sequence[str],
        folder: Path,
        preload_key: str = "",
        *,
        env: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> SupervisedProcess:
        """Return a process that executes ``argv`` after ``folder`` is created and it is started.

        Its output goes to ``folder / "log"``. It is forked only if ``env`` has the variables that it will be
        started with, and from a process with the project set up if :meth:`preload` was called with
        ``preload_key``. By default, this waits until the fork server is ready. Without ``wait``, it returns at
        once, and the process has no reports if the fork server never becomes ready.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            with self._lock:
                if self._is_forkable(argv, env):
                    for fork_server in (self._preloaded.get(preload_key), self._fork_server):
                        if fork_server is not None and fork_server.send_connection(theirs, wait=wait):
                            return SupervisedProcess(argv, folder, ours, lambda: None)
            return SupervisedProcess(argv, folder, ours, _start_supervisor(theirs))

    def preload(self, key: str) -> None:
        """Set up a project in a process from which its servers are then forked.

        ``key`` is JSON: ``argv``, ``env`` and ``cwd`` of a server, with ``TEMPLATE_FOLDER`` as the run's
        folder, and ``settings``, which the settings module reads.
        """
        with self._lock:
            spec = json.loads(key)
            if not self._is_forkable(spec["argv"], spec["env"]):
                return
            if self._fork_server is None or key in self._preloaded or len(self._preloaded) >= _MAX_PRELOADED:
                return
            ours, theirs = socket.socketpair()
            with theirs:
                sent = self._fork_server.send_connection(theirs, b"r")
            if not sent:
                ours.close()
                return
            self._preloaded[key] = ForkServerClient(ours, _PRELOAD_TIMEOUT)
            with suppress(OSError):
                ours.sendall(key.encode() + b"\n")

    def close(self) -> None:
        """End the fork servers, but not the processes that they have forked for others."""
        with self._lock:
            for preloaded in self._preloaded.values():
                preloaded.shut_down()
            for preloaded in self._preloaded.values():
                preloaded.wait_for_exit(_PRELOADED_EXIT_TIMEOUT)  # while their parent can reap them
            if self._fork_server is not None:
                self._fork_server.close()
                self._fork_server = None
            for preloaded in self._preloaded.values():
                preloaded.close()
            self._preloaded.clear()

    def _is_forkable(self, argv: Sequence[str], env: Mapping[str, str] | None) -> bool:
        """Return whether a process that executes ``argv`` with ``env`` can be a fork of the fork server."""
        if self._fork_server is None or env is None or not self._fork_server.is_compatible_with(env):
            return False
        is_ours = len(argv) > 1 and Path(argv[1]).parent == _INSIDE
        return argv[0] == self.python and (list(argv[1:3]) == ["-m", "django"] or is_ours)


def tail(log: Path) -> bytes:
    """Return the end of ``log``, enough for a message; empty if it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read(_TAIL)
    except OSError:
        return b""


def _start_supervisor(connection: socket.socket) -> Callable[[], None]:
    """Start a supervisor from the command line, which reads from ``connection``; return what reaps it."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_INSIDE / "supervisor.py")],
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        start_new_session=True,
    )

    def reap() -> None:
        process.kill()  # it has hung up, or exceeded its time; the server dies with its parent
        process.wait()

    return reap
