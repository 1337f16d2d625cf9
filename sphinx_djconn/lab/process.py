"""A process of a run and everything it starts, kept by a supervisor of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

_SUPERVISOR: Final = Path(__file__).parent / "inside" / "supervisor.py"
_FAREWELL: Final = 10.0
"""Seconds the supervisor has for killing what is left; it needs some milliseconds."""


class SupervisedProcess:
    """Starts ``argv`` under a supervisor, which outlives neither this process nor :meth:`stop`.

    ``seconds`` bounds its whole life, ``log_limit`` (bytes) what it may write to ``log``.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        folder: Path,
        seconds: float,
        log_limit: int,
    ) -> None:
        self.log = folder / "log"
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SUPERVISOR)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._tell(
            json.dumps(
                {
                    "argv": list(argv),
                    "env": dict(env),
                    "cwd": str(cwd),
                    "log": str(self.log),
                    "log_limit": log_limit,
                    "seconds": seconds,
                    "folder": str(folder),
                }
            )
        )

    @property
    def reports(self) -> IO[bytes]:
        """The stream of the supervisor's reports, lines of JSON."""
        assert self._supervisor.stdout is not None
        return self._supervisor.stdout

    def kill(self) -> None:
        """End all its processes at once; :meth:`close` waits for it."""
        self._tell("kill")

    def terminate(self, seconds: float) -> None:
        """Ask it to end, and end it after ``seconds``; :meth:`close` waits for it."""
        self._tell(f"stop {seconds}")

    def close(self) -> None:
        """Wait until every process of it is gone."""
        try:
            self._supervisor.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()  # the server dies with its parent
            self._supervisor.wait()
        for stream in (self._supervisor.stdin, self._supervisor.stdout):
            if stream is not None:
                stream.close()

    def _tell(self, command: str) -> None:
        assert self._supervisor.stdin is not None
        try:
            self._supervisor.stdin.write(command.encode() + b"\n")
            self._supervisor.stdin.flush()
        except OSError:
            return  # it is gone already


def execute(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    folder: Path,
    seconds: float,
    log_limit: int = 1 << 24,
) -> tuple[dict[str, Any], bytes]:
    """Run ``argv`` to its end; return the supervisor's reports (``exit``, ``late``) and the output."""
    process = SupervisedProcess(
        argv, env=env, cwd=cwd, folder=folder, seconds=seconds, log_limit=log_limit
    )
    reports: dict[str, Any] = {}
    deadline = time.monotonic() + seconds + _FAREWELL
    try:
        for line in process.reports:
            reports.update(json.loads(line))
            if "exit" in reports or time.monotonic() > deadline:
                break
    finally:
        process.kill()
        process.close()
    output = process.log.read_bytes() if process.log.exists() else b""
    return reports, output
