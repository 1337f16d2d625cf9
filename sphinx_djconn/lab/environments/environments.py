"""The environments of one build: each found or made once, and what is in it."""

import json
import os
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from sphinx_djconn.hashing import digest
from sphinx_djconn.lab.environments import create as making
from sphinx_djconn.lab.environments import freeze as contents
from sphinx_djconn.lab.environments import interpreters
from sphinx_djconn.lab.environments.cache import CachedEnvironment, default_folder
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.environments.interpreters import Interpreter
from sphinx_djconn.lab.environments.python_versions import ANY, Range, pythons
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.errors import AbsentError, LabError
from sphinx_djconn.lab.process.cancellation import Cancellation

_SECONDS: Final = 600.0
"""How long making one may take: a driver or server that has to be compiled needs minutes."""

_FORMAT: Final = 2
"""Another one once environments are made, or noted, in another way."""

_PATIENCE: Final = 20.0
_NEWEST_MINOR: Final = 40
"""Python 3's minor versions that a ``requires-python`` is compared with."""


class Environments:
    """Makes what is not there, in the folder ``cache``, which other builds share.

    ``tell`` is called with lines for the reader: what is being made, and how long it took. ``tools`` are uv, or
    venv and pip; ``seconds`` bounds the making of one. ``unsupported`` allows a Python that is newer than those
    that a Django supports, where there is none of these. May be used by many threads.
    """

    def __init__(
        self,
        cache: Path | None = None,
        *,
        tell: Callable[[str], None] = lambda _: None,
        interruption: Cancellation | None = None,
        tools: making.Tools | None = None,
        found: Callable[[], tuple[Interpreter, ...]] | None = None,
        seconds: float = _SECONDS,
        unsupported: bool = False,
    ) -> None:
        self._cache = cache or default_folder()
        self._tell = tell
        self._interruption = interruption or Cancellation()
        self._tools = making.tools() if tools is None else tools
        kept = self._cache / "interpreters.json"
        self._find = found or (lambda: interpreters.on_this_machine(kept=kept))
        self._found: tuple[Interpreter, ...] | None = None
        self._seconds = seconds
        self._unsupported = unsupported
        self._lock = threading.Lock()
        self._locks: dict[Specification, threading.Lock] = {}
        self._known: dict[Specification, Environment | LabError] = {}

    def get(self, specification: Specification) -> Environment:
        """Return the environment, made if it is not there.

        Raises ``AbsentError`` where its interpreter is not to be had, ``EnvironmentCreationError`` where it
        could not be made, the same for the rest of the build; ``Cancelled``.
        """
        with self._lock:
            lock = self._locks.setdefault(specification, threading.Lock())
        with lock:
            if specification not in self._known:
                try:
                    self._known[specification] = self._get(specification)
                except LabError as error:
                    self._known[specification] = error
            known = self._known[specification]
        if isinstance(known, LabError):
            raise known
        return known

    def is_there(self, specification: Specification) -> bool:
        """Return whether :meth:`get` would make nothing. Raises ``AbsentError`` as that does."""
        if not specification.is_made:
            return True
        name = _digest(specification, self._interpreter(specification))
        return CachedEnvironment(self._cache, name).complete() is not None

    def _get(self, specification: Specification) -> Environment:
        interpreter = self._interpreter(specification)
        if not specification.is_made:
            return _as_it_is(specification.name, interpreter)
        place = CachedEnvironment(self._cache, _digest(specification, interpreter))
        complete = place.complete()
        if complete is None:
            waiting = f"waiting for another build that makes the environment {specification.name}"
            with place.locked(self._interruption, self._seconds, lambda: self._tell(waiting)):
                complete = place.complete() or self._make(specification, interpreter, place)
        folder, noted = complete
        env = folder / "env"
        return Environment(
            specification.name,
            str(env / "bin/python"),
            interpreter.text,
            tuple(str(folder / each) for each in noted["folders"]),
            noted["stamp"],
            interpreter.path,
            unsupported=interpreter.version[:2] not in _supported(specification),
        )

    def _make(
        self, specification: Specification, interpreter: Interpreter, place: CachedEnvironment
    ) -> tuple[Path, dict[str, Any]]:
        """Make it, with the lock held; return the folder and what is noted of it."""
        more = "".join(f" + {each}" for each in specification.beside_django)
        label = f"the environment {specification.name}{more} for Python {interpreter.text}"
        self._tell(f"making {label} with {self._tools.name}")
        begun = time.monotonic()
        folder = place.attempt()
        making.make(specification, interpreter, folder, self._tools, self._interruption, self._seconds)
        folders = [f"env/lib/python{interpreter.version[0]}.{interpreter.version[1]}/site-packages"]
        noted = {
            "requirements": list(specification.requirements),
            "checkout": specification.checkout,
            "interpreter": interpreter.path,
            "python": interpreter.text,
            "folders": folders,
            "stamp": contents.stamp(folder / each for each in folders),
        }
        place.note(folder, noted)
        self._tell(f"made {label} in {time.monotonic() - begun:.1f} s")
        return folder, noted

    def _interpreter(self, specification: Specification) -> Interpreter:
        whose = f"the environment `{specification.name}`"
        if specification.python:
            return interpreters.ask(specification.python, whose)
        with self._lock:
            if self._found is None:
                self._found = self._find()
        supported = _supported(specification)
        return interpreters.newest(self._found, supported, whose, or_newer=self._unsupported)


def _supported(specification: Specification) -> Range:
    if specification.django is not None:
        return pythons(specification.django)
    try:
        text = Path(specification.checkout, "pyproject.toml").read_text("utf-8")
        required = SpecifierSet(tomllib.loads(text)["project"]["requires-python"])
    except (OSError, ValueError, KeyError, TypeError, InvalidSpecifier):
        return ANY  # an older one, whose setup.cfg or setup.py the installer reads
    minors = [minor for minor in range(ANY.oldest[1], _NEWEST_MINOR) if required.contains(f"3.{minor}.99")]
    return Range((3, minors[0]), None) if minors else ANY


def _digest(specification: Specification, interpreter: Interpreter) -> str:
    """Return a name: the same for all builds that want the same, whatever they call it."""
    checkout = Path(specification.checkout, "pyproject.toml") if specification.checkout else None
    asked = checkout.read_text("utf-8", "replace") if checkout and checkout.is_file() else ""
    named = [specification.checkout, asked, os.path.realpath(interpreter.path), interpreter.text]
    return digest([_FORMAT, sorted(specification.requirements), *named])[:20]


def _as_it_is(name: str, interpreter: Interpreter) -> Environment:
    """Return the environment of an interpreter; raise :class:`AbsentError` where it has no Django."""
    try:
        said = subprocess.run(
            [interpreter.path, "-c", "import json, sys; print(json.dumps(sys.path[1:]))"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": ""},
        ).stdout
        folders = tuple(each for each in json.loads(said) if Path(each).is_dir())
    except (OSError, subprocess.SubprocessError, ValueError):
        raise AbsentError(
            f"the environment `{name}` names the interpreter {interpreter.path}, which did not say where it "
            "imports from; name another"
        ) from None
    ready = Environment(name, interpreter.path, interpreter.text, folders)
    if not ready.contents().version("django") and not any(Path(each, "django").is_dir() for each in folders):
        raise AbsentError(
            f"the environment `{name}` names the interpreter {interpreter.path}, which has no Django; install "
            f"one with `{interpreter.path} -m pip install django`, or name another"
        )
    return ready
