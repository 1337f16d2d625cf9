"""How an environment is made: with uv, or with ``venv`` and pip, each command under a supervisor."""

import importlib.util
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple

from sphinx_djconn.lab.environments.interpreters import Interpreter
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.errors import EnvironmentCreationError, UnresolvedError
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher, SupervisedProcess, tail

_NOT_INHERITED: Final = frozenset(
    [
        "CONDA_PREFIX",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_ROOT",
        "PIP_TARGET",
        "PIP_USER",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
    ]
)
"""Variables that would have something installed elsewhere than in the environment."""

_SHOWN: Final = 12
"""Lines of an installer's output that are enough for a message."""

_COMPILE: Final = "import compileall, sys; compileall.compile_dir(sys.argv[1], maxlevels=20, quiet=2)"
"""Runs write no bytecode: without this, each would compile Django."""

_USER: Final = re.compile(rb"://[^/\s@]+@")
_HIDDEN: Final = b"://<secret>@"
_UNREACHABLE: Final = re.compile(
    r"connection (refused|reset|error)|error sending request|NewConnectionError|timed out|dns error|"
    r"failed to (look ?up|resolve)|name resolution|name or service not known|network is unreachable",
    re.IGNORECASE,
)
_NOT_FOUND: Final = re.compile(
    r"No solution found|No matching distribution|ResolutionImpossible|not found in the"
)
_FULL: Final = re.compile(
    r"No space left|File too large|Disk quota exceeded|os error (27|28|122)|Errno (27|28|122)"
)


class Tools(NamedTuple):
    """What makes environments: ``uv`` is the beginning of its command, empty where it is not to be had."""

    uv: tuple[str, ...]

    @property
    def name(self) -> str:
        """The word for it in messages."""
        return "uv" if self.uv else "venv and pip"


def tools() -> Tools:
    """Return uv's command: the module beside us, as our extra installs it, or the program on the PATH."""
    if importlib.util.find_spec("uv") is not None:
        return Tools((sys.executable, "-m", "uv"))
    found = shutil.which("uv")
    return Tools((found,) if found else ())


def make(
    specification: Specification,
    interpreter: Interpreter,
    folder: Path,
    tools: Tools,
    interruption: Cancellation,
    seconds: float,
) -> None:
    """Make ``folder / "env"``; its ``log`` is beside it. ``seconds`` bounds all of it.

    Raises :class:`EnvironmentCreationError`, with what to do, and ``Cancelled``; then nothing is left of it.
    """
    deadline = time.monotonic() + seconds
    launcher = Launcher(sys.executable, warm=False)
    commands = _commands(specification, interpreter, folder / "env", tools)
    try:
        with ExitStack() as stack:
            # All of the supervisors before the folder: when this process dies between two commands, the next
            # one's removes it.
            processes = [stack.enter_context(closing(launcher.supervise(argv, folder))) for argv in commands]
            folder.mkdir()
            for process in processes:
                _run(process, folder, specification, interruption, deadline)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise EnvironmentCreationError(
            f"the environment `{specification.name}` could not be made in {folder.parent}: {error.strerror}"
        ) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _commands(
    specification: Specification, interpreter: Interpreter, env: Path, tools: Tools
) -> list[list[str]]:
    """Return what makes the environment ``env``, in order; the last one proves that Django can be imported."""
    wanted = list(specification.requirements)
    if specification.checkout:
        wanted += ["-e", specification.checkout]
    python = str(env / "bin/python")
    if tools.uv:
        uv = list(tools.uv)
        making = [
            [*uv, "venv", "--no-project", "--python", interpreter.path, str(env)],
            [*uv, "pip", "install", "--python", python, *wanted],
            [python, "-c", _COMPILE, str(env / "lib")],  # as pip does; uv cannot for Python 3.6
        ]
    else:
        making = [
            [interpreter.path, "-m", "venv", str(env)],
            [python, "-m", "pip", "install", "--progress-bar", "off", *wanted],
        ]
    return [*making, [python, "-c", "import django; django.VERSION"]]


def _run(
    process: SupervisedProcess,
    folder: Path,
    specification: Specification,
    interruption: Cancellation,
    deadline: float,
) -> None:
    interruption.check()
    left = max(0.1, deadline - time.monotonic())
    process.start(env=_variables(os.environ), cwd=folder, seconds=left)
    reports = process.finish(interruption, left)
    process.close()  # with all that came of it
    if reports.get("exit") != 0 or "late" in reports:
        raise _error(specification, folder, tail(folder / "log"), late="late" in reports)


def _error(specification: Specification, folder: Path, said: bytes, *, late: bool) -> EnvironmentCreationError:
    """Return what to say: what was to be made, how that ended, what to do."""
    from sphinx_djconn.lab.events.sanitizer import Sanitizer  # noqa: PLC0415 - for what hardly ever happens

    lines = Sanitizer({folder / "env": "<environment>", folder: "<environment>"}).lines(
        _USER.sub(_HIDDEN, said)
    )
    log = tuple(line for line in lines if line.strip())[-_SHOWN:]
    told = "\n".join(log)
    kind = EnvironmentCreationError
    if late:
        why = "it took longer than it may; build again, or raise the time limit"
    elif _FULL.search(told):
        why = "the disk is full; free some space, or set XDG_CACHE_HOME to a folder on another disk"
    elif _UNREACHABLE.search(told):
        why = "the package index cannot be reached; see to the network, or to uv's and pip's index"
    elif "(from versions: none)" in told:  # pip says no more where it has not tried twice
        why = "the package index cannot be reached, or has nothing of that name; see to both"
    elif _NOT_FOUND.search(told):
        kind = UnresolvedError
        why = (
            "no releases fulfil its requirements for this Python; change those in `djconn_environments`, or "
            "the version that the page names"
        )
    elif "ensurepip" in told:
        why = "this Python has no ensurepip; `pip install 'sphinx-djconn[environments]'`, whose uv needs none"
    else:
        why = "what it was made with failed"
    wanted = [*specification.requirements, *(["the checkout"] if specification.checkout else [])]
    asked = _USER.sub(_HIDDEN, " and ".join(wanted).encode()).decode()
    return kind(f"the environment `{specification.name}`, of {asked}, could not be made: {why}", log)


def _variables(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables for the installers."""
    env = {name: text for name, text in ours.items() if name not in _NOT_INHERITED}
    if "PIP_INDEX_URL" in env and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & env.keys():
        env["UV_DEFAULT_INDEX"] = env["PIP_INDEX_URL"]  # uv reads nothing of pip's; a mirror is one for both
    return {
        **env,
        "NO_COLOR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        # Not uv's hard links: a file that is changed by hand would be so in its cache, too, and from then on in
        # all environments that are made of it.
        "UV_LINK_MODE": "copy",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
