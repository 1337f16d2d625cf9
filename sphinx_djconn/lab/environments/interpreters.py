"""The Pythons on this machine, each asked for its version."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.environments.python_versions import ANY, Range
from sphinx_djconn.lab.errors import AbsentError

PLACES: Final = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/python/*/bin",  # the manylinux images
    "/opt/hostedtoolcache/Python/*/*/bin",  # GitHub's runners
    "/opt/homebrew/bin",
    "/Library/Frameworks/Python.framework/Versions/*/bin",
)
_NAME: Final = re.compile(r"python3(\.\d+)?")
_PATIENCE: Final = 20.0
"""Seconds that an interpreter has to say what it is; it needs some hundredths of one."""

_QUESTION: Final = (
    "import platform, sys, sysconfig; v = sys.version_info; "
    "print(sys.base_prefix != sys.prefix, getattr(sys, '_base_executable', ''), sys.executable, "
    "platform.python_implementation(), v.releaselevel, bool(sysconfig.get_config_var('Py_GIL_DISABLED')), "
    "'%d.%d.%d' % v[:3], sep='\\n')"
)
_ANSWERS: Final = 7
"""Lines of the answer."""


@dataclass(frozen=True)
class Interpreter:
    """A Python, by the path of its program."""

    path: str
    version: tuple[int, ...]
    """Such as ``(3, 12, 1)``."""

    usual: bool = True
    """Whether it is a final release of CPython with a GIL: others are used where they are asked for by path."""

    @property
    def text(self) -> str:
        """Its version, as ``3.12.1``."""
        return ".".join(map(str, self.version))


def on_this_machine(
    variables: Mapping[str, str] | None = None, places: Sequence[str] = PLACES, kept: Path | None = None
) -> tuple[Interpreter, ...]:
    """Return those that work, the newest first, none twice, none of a virtual environment.

    They are looked for on the PATH, where pyenv and uv keep theirs, and in ``places``. What they say of
    themselves is ``kept`` in a file.
    """
    variables = os.environ if variables is None else variables
    paths = list(dict.fromkeys(map(_target, _candidates(variables, places))))
    answers = Answers(kept)
    with ThreadPoolExecutor(4) as pool:
        asked = [each for each in pool.map(lambda path: _ask(path, answers), paths) if each is not None]
    answers.keep()
    found: dict[str, Interpreter] = {}
    for each in asked:
        found.setdefault(os.path.realpath(each.path), each)
    return tuple(sorted(found.values(), key=lambda each: each.version, reverse=True))


def ask(path: str, whose: str) -> Interpreter:
    """Return the interpreter at ``path``, as it is, also of a virtual environment.

    Raises :class:`AbsentError`, in which ``whose`` is what names it.
    """
    if not os.access(path, os.X_OK) or Path(path).is_dir():
        raise AbsentError(
            f"{whose} names the interpreter {path}, and there is no such program any more, or never was; name "
            "one that exists"
        )
    said = _said(path)
    if said is None:
        raise AbsentError(
            f"{whose} names the interpreter {path}, and it does not answer as a Python does; name another"
        )
    return Interpreter(path, said.version, said.usual)


def newest(
    interpreters: Iterable[Interpreter], supported: Range, what: str, *, or_newer: bool = False
) -> Interpreter:
    """Return the newest of ``interpreters``, which are in that order, that is ``supported``.

    Where there is none, and one ``or_newer`` is allowed, it is the one that is nearest. Raises
    :class:`AbsentError`, which says what ``what`` needs and what there is.
    """
    usual = [each for each in interpreters if each.usual]
    for each in usual:
        if each.version[:2] in supported:
            return each
    newer = [each for each in usual if each.version[:2] > supported.oldest]
    if or_newer and newer:
        nearest = newer[-1].version[:2]
        return next(each for each in newer if each.version[:2] == nearest)
    raise AbsentError(
        f"{what} needs Python {supported}, and this machine has {_listed(usual)}; looked for on the PATH, "
        f"where pyenv and uv keep theirs, and in {', '.join(PLACES)}; install one, such as `uv python install "
        f"{'.'.join(map(str, supported.newest or supported.oldest))}`"
    )


def _listed(interpreters: Sequence[Interpreter]) -> str:
    return ", ".join(dict.fromkeys(each.text for each in interpreters)) or "none"


def _candidates(variables: Mapping[str, str], places: Sequence[str]) -> Iterator[str]:
    """Yield the paths of programs that could be one, the interpreter that runs this before all."""
    yield str(sys.executable)
    home = Path(variables.get("HOME") or "~").expanduser()
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local/share")
    pyenv = Path(variables.get("PYENV_ROOT") or home / ".pyenv")
    folders = [Path(each) for each in variables.get("PATH", "").split(os.pathsep) if each]
    folders = [each for each in folders if each != pyenv / "shims"]  # slow scripts, for what comes next
    folders += sorted((pyenv / "versions").glob("*/bin"))
    folders += sorted(Path(variables.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python").glob("*/bin"))
    for place in places:
        folders += sorted(Path("/").glob(place.lstrip("/")))
    for folder in dict.fromkeys(folders):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
        except OSError:
            continue
        yield from (str(folder / name) for name in names if _NAME.fullmatch(name))


def _target(path: str) -> str:
    """Return what the link ``path`` leads to, unless that has many names, as a version manager's."""
    target = os.path.realpath(path)
    return target if _NAME.fullmatch(Path(target).name) else path


@dataclass(frozen=True)
class _Said:
    base: str
    virtual: bool
    executable: str
    version: tuple[int, ...]
    usual: bool


class Answers:
    """What interpreters have said of themselves, kept in the file ``kept`` for as long as they are the same.

    Each answer takes as long as a Python needs to start, and there may be many. May be used by many threads.
    """

    def __init__(self, kept: Path | None) -> None:
        self._path = kept
        self._known: dict[str, str] = {}
        if kept is not None:
            with suppress(OSError, ValueError):
                self._known = dict(json.loads(kept.read_text("utf-8")))
        self._used: dict[str, str] = {}

    def of(self, path: str) -> _Said | None:
        """Return what the interpreter at ``path`` says, or has said; nothing where it does not work."""
        program = _program(path)
        if not program:
            return _said(path)
        answer = self._known.get(program) or _answer(path)
        self._used[program] = answer
        return _understood(answer)

    def keep(self) -> None:
        """Keep what has been said, of those that were asked for alone."""
        if self._path is None or self._used == self._known:
            return
        with suppress(OSError):  # they can be asked again
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_name(f"{self._path.name}-{secrets.token_hex(4)}")
            new.write_text(json.dumps(self._used), "utf-8")
            new.replace(self._path)


def _program(path: str) -> str:
    """Return a name for the program at ``path`` as it is; nothing for a script, which may start any other."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - there may be many
            if file.read(2) == b"#!":
                return ""
            status = os.fstat(file.fileno())
    except OSError:
        return ""
    return f"{path} {status.st_ino} {status.st_size} {status.st_mtime_ns}"


def _ask(path: str, answers: Answers) -> Interpreter | None:
    said = answers.of(path)
    if said is not None and said.virtual:
        said = answers.of(said.base) if said.base and said.base != path else None
    if said is None or said.virtual or said.version[:2] < ANY.oldest:
        return None
    return Interpreter(said.executable, said.version, said.usual)


def _said(path: str) -> _Said | None:
    """Return what the interpreter at ``path`` says of itself; nothing where it does not work."""
    return _understood(_answer(path))


def _answer(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "-I", "-c", _QUESTION],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return "" if done.returncode else done.stdout


def _understood(answer: str) -> _Said | None:
    lines = answer.splitlines()
    if len(lines) != _ANSWERS:
        return None
    virtual, base, executable, implementation, level, free, version = lines
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return None
    usual = implementation == "CPython" and level == "final" and free == "False"
    return _Said(base, virtual == "True", executable, tuple(map(int, version.split("."))), usual)
