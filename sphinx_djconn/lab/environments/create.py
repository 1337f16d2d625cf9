"""Create an environment with uv, each command under a supervisor."""

import re
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.environments.interpreters import Interpreter
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.environments.uv import uv_environ
from sphinx_djconn.lab.errors import EnvironmentCreationError, UnresolvedError
from sphinx_djconn.lab.events.sanitizer import Sanitizer
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher, SupervisedProcess, tail

_LOG_LINES: Final = 12
"""Lines of the output that an error shows."""

_COMPILE: Final = "import compileall, sys; compileall.compile_dir(sys.argv[1], maxlevels=20, quiet=2)"
"""Runs write no bytecode. Without this, each run would compile Django."""

_CREDENTIALS: Final = re.compile(rb"://[^/\s@]+@")
_MASKED: Final = b"://<secret>@"
_UNREACHABLE: Final = re.compile(
    r"connection (refused|reset|error)|error sending request|timed out|dns error|failed to lookup|"
    r"name resolution|name or service not known|network is unreachable",
    re.IGNORECASE,
)
_UNRESOLVED: Final = re.compile(r"No solution found|not found in the")
_DISK_FULL: Final = re.compile(r"No space left|File too large|Disk quota exceeded|os error (27|28|122)")


def create_environment(
    specification: Specification,
    interpreter: Interpreter,
    folder: Path,
    uv: str,
    cancellation: Cancellation,
    timeout: float,
) -> None:
    """Create the virtual environment ``folder / "env"``, with its log beside it, in ``timeout`` seconds.

    ``uv`` is the path of uv. Raises :class:`EnvironmentCreationError`, which says what to do, or ``Cancelled``;
    then ``folder`` is removed.
    """
    deadline = time.monotonic() + timeout
    launcher = Launcher(sys.executable, warm=False)
    commands = _commands(specification, interpreter, folder / "env", uv)
    try:
        with ExitStack() as stack:
            # Start all supervisors before the folder exists. If this process dies between two commands, the
            # supervisor of the next one removes the folder.
            processes = [stack.enter_context(closing(launcher.supervise(argv, folder))) for argv in commands]
            folder.mkdir()
            for process in processes:
                _run(process, folder, specification, cancellation, deadline)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise EnvironmentCreationError(
            f"the environment `{specification.name}` could not be made in {folder.parent}: {error.strerror}"
        ) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _commands(specification: Specification, interpreter: Interpreter, env: Path, uv: str) -> list[list[str]]:
    """Return the commands that create ``env``. The last one checks that Django can be imported."""
    requirements = list(specification.requirements)
    if specification.checkout:
        requirements += ["-e", specification.checkout]
    python = str(env / "bin/python")
    return [
        [uv, "venv", "--no-project", "--python", interpreter.path, str(env)],
        [uv, "pip", "install", "--python", python, *requirements],
        [python, "-c", _COMPILE, str(env / "lib")],  # uv's --compile-bytecode fails with Python 3.6
        [python, "-c", "import django; django.VERSION"],
    ]


def _run(
    process: SupervisedProcess,
    folder: Path,
    specification: Specification,
    cancellation: Cancellation,
    deadline: float,
) -> None:
    cancellation.check()
    seconds = max(0.1, deadline - time.monotonic())
    process.start(env=uv_environ(), cwd=folder, seconds=seconds)
    reports = process.finish(cancellation, seconds)
    process.close()
    if reports.get("exit") != 0 or "late" in reports:
        raise _error(specification, tail(folder / "log"), folder, reports)


def _error(
    specification: Specification, output: bytes, folder: Path, reports: Mapping[str, Any]
) -> EnvironmentCreationError:
    """Return an error that says which environment failed, why, and what to do."""
    sanitizer = Sanitizer({folder / "env": "<environment>", folder: "<environment>"})
    lines = sanitizer.lines(_CREDENTIALS.sub(_MASKED, output))
    log = tuple(line for line in lines if line.strip())[-_LOG_LINES:]
    text = "\n".join(log)
    error_class = EnvironmentCreationError
    if "late" in reports:
        reason = "it took longer than the time limit; build again, or raise that limit"
    elif reports.get("exit") == -signal.SIGXFSZ or _DISK_FULL.search(text):
        reason = "the disk is full; free some space, or set XDG_CACHE_HOME to a folder on another disk"
    elif _UNREACHABLE.search(text):
        reason = (
            "the package index cannot be reached; check the network and the index that uv is configured with"
        )
    elif _UNRESOLVED.search(text):
        error_class = UnresolvedError
        reason = (
            "no releases fulfil its requirements for this Python; change those in `djconn_environments`, or "
            "the version that the page names"
        )
    else:
        reason = "a command failed"
    requirements = [*specification.requirements, *(["the checkout"] if specification.checkout else [])]
    listed = _CREDENTIALS.sub(_MASKED, " and ".join(requirements).encode()).decode()
    return error_class(f"the environment `{specification.name}`, of {listed}, could not be made: {reason}", log)
