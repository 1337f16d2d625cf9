"""The process of a private database server, under a supervisor that outlives the build.

If the build is killed, the supervisor ends the server at once and removes its folder.
"""

import json
import os
import re
import select
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from sphinx_djconn.lab.clusters.folder import ClusterFolder
from sphinx_djconn.lab.clusters.privileges import find_run_as
from sphinx_djconn.lab.errors import Cancelled, ClusterError
from sphinx_djconn.lab.events.sanitizer import Sanitizer
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.environ import inherited_environ
from sphinx_djconn.lab.process.launcher import Launcher, SupervisedProcess, tail

_MAX_LIFETIME: Final = 7 * 24 * 3600.0
"""Seconds. The build ends its servers much earlier."""

_LOG_LIMIT: Final = 1 << 28
_LOG_LINES: Final = 20
"""Lines of the log that an error shows."""

_CONNECT_INTERVAL: Final = 0.01
"""Seconds between two attempts to connect."""

_NOT_INHERITED: Final = ("PG", "MYSQL", "MARIADB", "LC_", "LANG", "LD_PRELOAD", "NOTIFY_SOCKET")
"""Prefixes of variables that would change the server's settings, or select a locale that is not installed."""

_EXIT_TIMEOUT: Final = 0.5
"""Seconds to wait for the report of the server's end after a connection broke."""

_LITTLE_SPACE: Final = 32 << 20
_DISK_FULL: Final = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "disk full",
    "Errcode: 28",
)
_ERROR_LINE: Final = re.compile(r"\b(?:ERROR|FATAL|PANIC|error|fatal)\b")
_NO_SHARED_MEMORY: Final = "could not resize shared memory segment"
"""``initdb`` of PostgreSQL before 16 needs some megabytes of it, and has no option to use a file."""

Result = TypeVar("Result")


class ServerProcess:
    """Runs commands of a database server, one after another, in ``folder``. ``label`` names it in messages.

    Raises ``Cancelled`` instead of starting a command once the build is cancelled.
    """

    def __init__(self, label: str, folder: ClusterFolder, cancellation: Cancellation) -> None:
        self.label = label
        self.folder = folder
        self._cancellation = cancellation
        self._run_as = find_run_as()
        self._launcher = Launcher(sys.executable, warm=False)
        self._process: SupervisedProcess | None = None
        self._reports: dict[str, Any] = {}
        self._unread = b""

    def start(self, argv: Sequence[str]) -> None:
        """Start ``argv``. The previous command must have ended."""
        previous = self._process
        self._cancellation.check()
        process = self._launcher.supervise([*self._run_as.prefix, *argv], self.folder.path)
        self._process = process
        if previous is None:
            self.folder.make(self._run_as.owner)
        else:
            previous.close()  # not earlier: a supervisor that removes the folder must run all the time
        self._reports, self._unread = {}, b""
        env = {
            name: value for name, value in inherited_environ().items() if not name.startswith(_NOT_INHERITED)
        }
        process.start(
            env={**env, "LC_ALL": "C", "TZ": "UTC"},
            cwd=self.folder.path,
            seconds=_MAX_LIFETIME,
            log_limit=_LOG_LIMIT,
        )
        try:
            self._cancellation.check()
        except Cancelled:  # it may have been cancelled before there was a process to kill
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the running command. May be called by any thread."""
        process = self._process
        if process is not None:
            process.kill()

    def run(self, argv: Sequence[str], timeout: float) -> None:
        """Execute ``argv`` and wait for its end, ``timeout`` seconds at most. Raises :class:`ClusterError`."""
        self.start(argv)
        deadline = time.monotonic() + timeout
        while not self.has_ended(deadline - time.monotonic()):
            if time.monotonic() >= deadline:
                raise self.error(f"{self.label} was not initialised within {timeout:g} s")
        if self._reports.get("exit") != 0:
            raise self.error(f"{self.label} could not be initialised")

    def wait_until_ready(
        self, connect: Callable[[], Result], expected: type[Exception], timeout: float
    ) -> Result:
        """Call ``connect`` until it does not raise ``expected``, and return its result.

        Raises :class:`ClusterError` if the server ends, or after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                return connect()
            except expected as error:
                if self.has_ended(_CONNECT_INTERVAL):
                    raise self.error(f"{self.label} ended while it was starting") from None
                if time.monotonic() >= deadline:
                    raise self.error(f"{self.label} did not listen within {timeout:g} s: {error}") from None

    def has_ended(self, timeout: float = 0.0) -> bool:
        """Return whether the process has ended. Waits for that for ``timeout`` seconds at most."""
        deadline = time.monotonic() + timeout
        while not self._is_over():
            if not self._read_reports(deadline - time.monotonic()):
                return self._is_over()
        return True

    def send_signal(self, number: int) -> None:
        """Send the process a signal, if it runs."""
        if not self.has_ended() and "pid" in self._reports:
            with suppress(ProcessLookupError):
                os.kill(self._reports["pid"], number)

    @property
    def pid(self) -> int | None:
        """The process id, as soon as the supervisor has reported it."""
        self._read_reports(0.0)
        return self._reports.get("pid")

    def close(self) -> None:
        """End the process and its children, and remove the folder."""
        if self._process is not None:
            self._process.close()
            self.folder.remove()

    def failure(self, message: str, *, connection_lost: bool) -> ClusterError:
        """Return the error for a statement that failed with ``message``, or whose connection was lost."""
        if self.has_ended(_EXIT_TIMEOUT if connection_lost else 0.0):
            status = self._reports.get("exit")
            reason = "wrote too much to its log" if "flood" in self._reports else f"exit status {status}"
            return self.error(
                f"the {self.label} of this build has ended by itself ({reason}); no scenario that uses it can "
                "run, start the build again"
            )
        return self.error(f"{self.label} refused: {message}")

    def error(self, message: str) -> ClusterError:
        """Return an error with ``message``, the end of the log, and what to do about a full disk."""
        log = tail(self.folder.path / "log")
        lines = Sanitizer({self.folder.path: "<cluster>"}).lines(log, pids=[self._reports.get("pid", 0)])
        lines = tuple(line for line in lines if line.strip())[-_LOG_LINES:]
        free = self.folder.free_bytes()
        if any(_NO_SHARED_MEMORY in line for line in lines):
            message += (
                "; there is too little shared memory: let /dev/shm have 8 MB (`docker run --shm-size=8m`), or "
                "install PostgreSQL 16 or later, which does without"
            )
        elif free < _LITTLE_SPACE or any(sign in text for sign in _DISK_FULL for text in (message, *lines)):
            message += (
                f"; there is no room for it: {free >> 20} MB are free in {self.folder.path.parent}; free some, "
                "or let TMPDIR name a folder with 200 MB, and see that files may be as large (`ulimit -f`)"
            )
        elif lines:
            errors = [line for line in lines if _ERROR_LINE.search(line)] or lines
            message += f"; the last it wrote: {errors[-1]}"
        return ClusterError(message, lines)

    def _is_over(self) -> bool:
        return self._process is None or bool({"exit", "gone", "closed"} & self._reports.keys())

    def _read_reports(self, timeout: float) -> bool:
        """Read the supervisor's reports. Return whether there were any within ``timeout`` seconds."""
        if self._process is None or self._process.reports.fileno() < 0:
            self._reports["closed"] = True
            return False
        if not select.select([self._process.reports], [], [], max(0.0, timeout))[0]:
            return False
        try:
            received = self._process.reports.recv(4096)
        except OSError:
            received = b""
        if not received:
            self._reports["closed"] = True
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            self._reports.update(json.loads(line))
        return True
