"""One database server after another in one folder, each under a supervisor that outlives the build.

When the build is killed, the supervisor hears it, ends the server at once and removes the folder.
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
from sphinx_djconn.lab.clusters.privileges import disguise
from sphinx_djconn.lab.errors import Cancelled, ClusterError
from sphinx_djconn.lab.events.sanitizer import Sanitizer
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.environ import inherited_environ
from sphinx_djconn.lab.process.launcher import Launcher, SupervisedProcess, tail

_LIFE: Final = 7 * 24 * 3600.0
"""Seconds that a server may live; its build ends it much earlier."""

_LOG_LIMIT: Final = 1 << 28
_SHOWN: Final = 20
_GLANCE: Final = 0.01
"""Seconds between two attempts to connect; the end of the server is noticed at once."""

_FOREIGN: Final = ("PG", "MYSQL", "MARIADB", "LC_", "LANG", "LD_PRELOAD", "NOTIFY_SOCKET")
"""Variables that would give a server settings, or a locale, which this machine may not have."""

_LAST_WORDS: Final = 0.5
_ROOM: Final = 32 << 20
_FULL: Final = ("No space left on device", "File too large", "Disk quota exceeded", "disk full", "Errcode: 28")
_COMPLAINT: Final = re.compile(r"\b(?:ERROR|FATAL|PANIC|error|fatal)\b")
_NO_SHARED_MEMORY: Final = "could not resize shared memory segment"
"""``initdb`` of PostgreSQL before 16 needs some megabytes, and cannot be told to take them from a file."""

Result = TypeVar("Result")


class ServerProcess:
    """What is started for a cluster in ``folder``; ``label`` names the server in messages.

    Once the build is interrupted, nothing is started any more: ``Cancelled`` is raised.
    """

    def __init__(self, label: str, folder: ClusterFolder, interruption: Cancellation) -> None:
        self.label = label
        self.folder = folder
        self._interruption = interruption
        self._disguise = disguise()
        self._launcher = Launcher(sys.executable, warm=False)
        self._process: SupervisedProcess | None = None
        self._reports: dict[str, Any] = {}
        self._unread = b""

    def begin(self, argv: Sequence[str]) -> None:
        """Start ``argv``, after the one before has ended."""
        before = self._process
        self._interruption.check()
        process = self._launcher.supervise([*self._disguise.prefix, *argv], self.folder.path)
        self._process = process
        if before is None:
            self.folder.make(self._disguise.owner)
        else:  # ended only now, so that the folder always has somebody who will remove it
            before.close()
        self._reports, self._unread = {}, b""
        foreign = {name for name in os.environ if name.startswith(_FOREIGN)}
        env = {name: value for name, value in inherited_environ().items() if name not in foreign}
        process.start(
            env={**env, "LC_ALL": "C", "TZ": "UTC"}, cwd=self.folder.path, seconds=_LIFE, log_limit=_LOG_LIMIT
        )
        try:
            self._interruption.check()
        except Cancelled:  # which may have come before there was a process to kill
            self.kill()
            raise

    def kill(self) -> None:
        """Kill what is running, in whatever thread that is waited for."""
        process = self._process
        if process is not None:
            process.kill()

    def run(self, argv: Sequence[str], seconds: float) -> None:
        """Execute ``argv`` to its end. Raises :class:`ClusterError`."""
        self.begin(argv)
        limit = time.monotonic() + seconds
        while not self.has_ended(limit - time.monotonic()):
            if time.monotonic() >= limit:
                raise self.error(f"{self.label} was not initialised within {seconds:g} s")
        if self._reports.get("exit") != 0:
            raise self.error(f"{self.label} could not be initialised")

    def wait(self, attempt: Callable[[], Result], expected: type[Exception], seconds: float) -> Result:
        """Return what ``attempt`` returns as soon as it does not raise ``expected``.

        Raises :class:`ClusterError` when the server ends before, or after ``seconds``.
        """
        limit = time.monotonic() + seconds
        while True:
            try:
                return attempt()
            except expected as error:
                if self.has_ended(_GLANCE):
                    raise self.error(f"{self.label} ended while it was starting") from None
                if time.monotonic() >= limit:
                    raise self.error(f"{self.label} did not listen within {seconds:g} s: {error}") from None

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Return whether the server is gone, waiting for that event for ``seconds`` at most."""
        limit = time.monotonic() + seconds
        while not self._is_over():
            if not self._read(limit - time.monotonic()):
                return self._is_over()
        return True

    def signal(self, number: int) -> None:
        """Send the server a signal: how servers are told to end differs from one to the other."""
        if not self.has_ended() and "pid" in self._reports:
            with suppress(ProcessLookupError):
                os.kill(self._reports["pid"], number)

    @property
    def pid(self) -> int | None:
        """The server's process id, as soon as it is known."""
        self._read(0.0)
        return self._reports.get("pid")

    def close(self) -> None:
        """End it and all its processes, and remove its folder."""
        if self._process is not None:
            self._process.close()
            self.folder.remove()

    def failure(self, said: str, *, is_lost: bool) -> ClusterError:
        """Return what to raise where the server ``said`` no; ``is_lost`` when the connection broke."""
        if self.has_ended(_LAST_WORDS if is_lost else 0.0):
            status = self._reports.get("exit")
            how = "wrote too much to its log" if "flood" in self._reports else f"exit status {status}"
            return self.error(
                f"the {self.label} of this build has ended by itself ({how}); no scenario that uses it can "
                "run, start the build again"
            )
        return self.error(f"{self.label} refused: {said}")

    def error(self, message: str) -> ClusterError:
        """Return an error with the end of the log, and with what to do where the disk is full."""
        log = tail(self.folder.path / "log")
        lines = Sanitizer({self.folder.path: "<cluster>"}).lines(log, pids=[self._reports.get("pid", 0)])
        lines = tuple(line for line in lines if line.strip())[-_SHOWN:]
        free = self.folder.free()
        if any(_NO_SHARED_MEMORY in line for line in lines):
            message += (
                "; there is too little shared memory: let /dev/shm have 8 MB (`docker run --shm-size=8m`), or "
                "install PostgreSQL 16 or later, which does without"
            )
        elif free < _ROOM or any(sign in text for sign in _FULL for text in (message, *lines)):
            message += (
                f"; there is no room for it: {free >> 20} MB are free in {self.folder.path.parent}; free some, "
                "or let TMPDIR name a folder with 200 MB, and see that files may be as large (`ulimit -f`)"
            )
        elif lines:
            told = [line for line in lines if _COMPLAINT.search(line)] or lines
            message += f"; the last it wrote: {told[-1]}"
        return ClusterError(message, lines)

    def _is_over(self) -> bool:
        return self._process is None or bool({"exit", "gone", "closed"} & self._reports.keys())

    def _read(self, seconds: float) -> bool:
        """Read reports, waiting for them for ``seconds``; return whether there were any."""
        if self._process is None or self._process.reports.fileno() < 0:
            self._reports["closed"] = True
            return False
        if not select.select([self._process.reports], [], [], max(0.0, seconds))[0]:
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
