"""The Python interpreters that are installed on this machine, as uv finds them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.environments.python_versions import ANY, Range
from sphinx_djconn.lab.environments.uv import find_uv, uv_environ
from sphinx_djconn.lab.errors import AbsentError

FOLDERS: Final = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/python/*/bin",  # the manylinux images
    "/opt/hostedtoolcache/Python/*/*/bin",  # GitHub's runners
    "/opt/homebrew/bin",
    "/Library/Frameworks/Python.framework/Versions/*/bin",
)
"""Where interpreters are looked for, besides the PATH, pyenv's and uv's own folders."""

_TIMEOUT: Final = 20.0
"""Seconds that one interpreter may take to answer; it needs some hundredths of a second."""

_LIST_TIMEOUT: Final = 120.0
_FINAL: Final = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Interpreter:
    """A Python, by the path of its program."""

    path: str
    version: tuple[int, ...]
    """For example ``(3, 12, 1)``."""

    @property
    def version_text(self) -> str:
        """The version, for example ``3.12.1``."""
        return ".".join(map(str, self.version))


def find_interpreters(
    environ: Mapping[str, str] = os.environ, folders: Sequence[str] = FOLDERS
) -> tuple[Interpreter, ...]:
    """Return the interpreters that can be chosen, the newest first.

    These are final releases of CPython with a GIL, not in a virtual environment. Raises :class:`AbsentError` if
    uv is not installed, or fails.
    """
    uv = find_uv()
    search_path = os.pathsep.join(map(str, _search_folders(environ, folders)))
    try:
        output = subprocess.run(
            [uv, "python", "list", "--only-installed", "--no-config", "--output-format", "json"],
            capture_output=True,
            text=True,
            timeout=_LIST_TIMEOUT,
            check=True,
            stdin=subprocess.DEVNULL,
            env={**uv_environ(environ), "PATH": search_path},
        ).stdout
        listed = json.loads(output)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = getattr(error, "stderr", None) or error
        raise AbsentError(f"`{uv} python list` failed; try it, or install another uv: {reason}") from None
    interpreters: dict[str, Interpreter] = {}
    for entry in listed:
        if entry["implementation"] == "cpython" and entry.get("variant", "default") == "default":
            version = _parse_version(entry["version"])
            if version[:2] >= ANY.oldest:
                interpreters.setdefault(os.path.realpath(entry["path"]), Interpreter(entry["path"], version))
    return tuple(sorted(interpreters.values(), key=lambda each: each.version, reverse=True))


def inspect_interpreter(path: str, label: str) -> Interpreter:
    """Return the interpreter at ``path``, which may be of any kind and in a virtual environment.

    Raises :class:`AbsentError` if there is none; ``label`` names what needs it.
    """
    if not os.access(path, os.X_OK) or Path(path).is_dir():
        raise AbsentError(
            f"{label} names the interpreter {path}, and there is no such program; name one that exists"
        )
    try:
        version = _parse_version(run_python(path, "import sys; print('%d.%d.%d' % sys.version_info[:3])"))
    except (OSError, subprocess.SubprocessError, ValueError):
        version = ()
    if not version:
        raise AbsentError(f"{label} names the interpreter {path}, which does not run as a Python; name another")
    return Interpreter(path, version)


def run_python(path: str, code: str) -> str:
    """Return the output of ``code`` in the interpreter at ``path``.

    Raises ``OSError``, ``subprocess.SubprocessError`` or ``UnicodeDecodeError``.
    """
    done = subprocess.run(
        [path, "-c", code],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ""},
    )
    return done.stdout.strip()


def choose_interpreter(
    interpreters: Iterable[Interpreter], supported: Range, label: str, *, allow_newer: bool = False
) -> Interpreter:
    """Return the newest supported one of ``interpreters``, which are sorted, the newest first.

    If none is supported and ``allow_newer`` is true, return the oldest one that is newer than those. Raises
    :class:`AbsentError`, in which ``label`` names what needs it.
    """
    interpreters = list(interpreters)
    for interpreter in interpreters:
        if interpreter.version[:2] in supported:
            return interpreter
    newer = [each for each in interpreters if each.version[:2] > supported.oldest]
    if allow_newer and newer:
        nearest = newer[-1].version[:2]
        return next(each for each in newer if each.version[:2] == nearest)
    installed = ", ".join(dict.fromkeys(each.version_text for each in interpreters)) or "none"
    raise AbsentError(
        f"{label} needs Python {supported}, and this machine has {installed}; looked for on the PATH, "
        f"where pyenv and uv keep theirs, and in {', '.join(FOLDERS)}; install one, such as `uv python install "
        f"{'.'.join(map(str, supported.newest or supported.oldest))}`"
    )


def _search_folders(environ: Mapping[str, str], folders: Sequence[str]) -> list[Path]:
    """Return the folders to search: of the interpreter that runs this, of the PATH, of pyenv, ``folders``."""
    home = Path(environ.get("HOME") or "~").expanduser()
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    searched = [Path(sys.base_prefix, "bin")]
    searched += [Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    searched += sorted((pyenv / "versions").glob("*/bin"))
    for pattern in folders:
        searched += sorted(Path("/").glob(pattern.lstrip("/")))
    # pyenv's shims are scripts that start the programs in its versions, or fail.
    return [each for each in dict.fromkeys(searched) if each.name != "shims" or pyenv not in each.parents]


def _parse_version(text: str) -> tuple[int, ...]:
    """Return the version, or an empty tuple if ``text`` is not that of a final release."""
    return tuple(map(int, text.split("."))) if _FINAL.fullmatch(text) else ()
