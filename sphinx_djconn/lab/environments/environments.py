"""The environments of one build: each is looked up or created once."""

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
from sphinx_djconn.lab.environments.cache import CachedEnvironment, default_folder
from sphinx_djconn.lab.environments.create import create_environment
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.environments.freeze import folders_stamp
from sphinx_djconn.lab.environments.interpreters import (
    Interpreter,
    choose_interpreter,
    find_interpreters,
    inspect_interpreter,
    run_python,
)
from sphinx_djconn.lab.environments.python_versions import ANY, Range, supported_pythons
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.environments.uv import find_uv
from sphinx_djconn.lab.errors import AbsentError, LabError
from sphinx_djconn.lab.process.cancellation import Cancellation

_TIMEOUT: Final = 600.0
"""Seconds for creating one. A driver or server that has to be compiled needs minutes."""

_FORMAT: Final = 2
"""Increased when environments are created, or their metadata written, in another way."""

_NEWEST_MINOR: Final = 40
"""Minor versions of Python 3 up to which a ``requires-python`` is evaluated."""


class Environments:
    """Creates missing environments in the folder ``cache``, which other builds share.

    ``report`` is called with progress messages. ``find_interpreters`` returns the interpreters that can be
    chosen, the newest first; by default, uv lists them. ``timeout`` is in seconds, for each environment.
    ``allow_unsupported`` allows a Python that is newer than those that a Django supports, if none of these is
    installed. May be used by several threads.
    """

    def __init__(
        self,
        cache: Path | None = None,
        *,
        report: Callable[[str], None] = lambda _: None,
        cancellation: Cancellation | None = None,
        find_interpreters: Callable[[], tuple[Interpreter, ...]] = find_interpreters,
        timeout: float = _TIMEOUT,
        allow_unsupported: bool = False,
    ) -> None:
        self._cache = cache or default_folder()
        self._report = report
        self._cancellation = cancellation or Cancellation()
        self._find_interpreters = find_interpreters
        self._interpreters: tuple[Interpreter, ...] | None = None
        self._timeout = timeout
        self._allow_unsupported = allow_unsupported
        self._lock = threading.Lock()
        self._locks: dict[Specification, threading.Lock] = {}
        self._results: dict[Specification, Environment | LabError] = {}

    def get(self, specification: Specification) -> Environment:
        """Return the environment, created if it does not exist.

        Raises ``AbsentError`` if there is no suitable interpreter or no uv, ``EnvironmentCreationError`` if the
        environment could not be created, and ``Cancelled``. An error is raised again for the rest of the build.
        """
        with self._lock:
            lock = self._locks.setdefault(specification, threading.Lock())
        with lock:
            if specification not in self._results:
                try:
                    self._results[specification] = self._get(specification)
                except LabError as error:
                    self._results[specification] = error
            result = self._results[specification]
        if isinstance(result, LabError):
            raise result
        return result

    def exists(self, specification: Specification) -> bool:
        """Return whether :meth:`get` would create nothing. Raises ``AbsentError`` as that does."""
        if not specification.needs_creation:
            return True
        return self._cached(specification, self._interpreter(specification)).read() is not None

    def _get(self, specification: Specification) -> Environment:
        interpreter = self._interpreter(specification)
        if not specification.needs_creation:
            return _existing(specification.name, interpreter)
        cached = self._cached(specification, interpreter)
        complete = cached.read()
        if complete is None:
            waiting = f"waiting for another build that makes the environment {specification.name}"
            with cached.locked(self._cancellation, self._timeout, lambda: self._report(waiting)):
                complete = cached.read() or self._create(specification, interpreter, cached)
        folder, metadata = complete
        return Environment(
            specification.name,
            str(folder / "env/bin/python"),
            interpreter.version_text,
            tuple(str(folder / each) for each in metadata["folders"]),
            metadata["stamp"],
            interpreter.path,
            unsupported=interpreter.version[:2] not in _supported_pythons(specification),
        )

    def _create(
        self, specification: Specification, interpreter: Interpreter, cached: CachedEnvironment
    ) -> tuple[Path, dict[str, Any]]:
        """Create it, with the lock held. Return its folder and metadata."""
        others = "".join(f" + {each}" for each in specification.beside_django)
        label = f"the environment {specification.name}{others} for Python {interpreter.version_text}"
        uv = find_uv()
        self._report(f"making {label} with uv")
        start = time.monotonic()
        folder = cached.new_attempt()
        create_environment(specification, interpreter, folder, uv, self._cancellation, self._timeout)
        folders = [f"env/lib/python{interpreter.version[0]}.{interpreter.version[1]}/site-packages"]
        metadata = {
            "requirements": list(specification.requirements),
            "checkout": specification.checkout,
            "interpreter": interpreter.path,
            "python": interpreter.version_text,
            "folders": folders,
            "stamp": folders_stamp(folder / each for each in folders),
        }
        cached.mark_complete(folder, metadata)
        self._report(f"made {label} in {time.monotonic() - start:.1f} s")
        return folder, metadata

    def _interpreter(self, specification: Specification) -> Interpreter:
        label = f"the environment `{specification.name}`"
        if specification.python:
            return inspect_interpreter(specification.python, label)
        with self._lock:
            if self._interpreters is None:
                self._interpreters = self._find_interpreters()
        supported = _supported_pythons(specification)
        return choose_interpreter(self._interpreters, supported, label, allow_newer=self._allow_unsupported)

    def _cached(self, specification: Specification, interpreter: Interpreter) -> CachedEnvironment:
        """Return its place in the cache, which does not depend on its name."""
        pyproject = _pyproject(specification) if specification.checkout else ""
        python = [os.path.realpath(interpreter.path), interpreter.version_text]
        key = [_FORMAT, sorted(specification.requirements), specification.checkout, pyproject, *python]
        return CachedEnvironment(self._cache, digest(key)[:20])


def _pyproject(specification: Specification) -> str:
    """Return the text of ``pyproject.toml`` in the checkout, empty if there is none."""
    try:
        return Path(specification.checkout, "pyproject.toml").read_text("utf-8", "replace")
    except OSError:
        return ""


def _supported_pythons(specification: Specification) -> Range:
    if specification.django is not None:
        return supported_pythons(specification.django)
    try:
        required = SpecifierSet(tomllib.loads(_pyproject(specification))["project"]["requires-python"])
    except (ValueError, KeyError, TypeError, InvalidSpecifier):
        return ANY  # an older Django, whose setup.cfg or setup.py the installer reads
    minors = [minor for minor in range(ANY.oldest[1], _NEWEST_MINOR) if required.contains(f"3.{minor}.99")]
    return Range((3, minors[0]), None) if minors else ANY


def _existing(name: str, interpreter: Interpreter) -> Environment:
    """Return the environment of an existing interpreter. Raises :class:`AbsentError` if it has no Django."""
    try:
        path = json.loads(run_python(interpreter.path, "import json, sys; print(json.dumps(sys.path[1:]))"))
        folders = tuple(folder for folder in path if Path(folder).is_dir())
    except (OSError, subprocess.SubprocessError, ValueError):
        raise AbsentError(
            f"the environment `{name}` names the interpreter {interpreter.path}, which cannot print its "
            "`sys.path`; name another"
        ) from None
    environment = Environment(name, interpreter.path, interpreter.version_text, folders)
    has_django = environment.read_packages().version("django")
    if not has_django and not any(Path(folder, "django").is_dir() for folder in folders):
        raise AbsentError(
            f"the environment `{name}` names the interpreter {interpreter.path}, which has no Django; install "
            f"one with `{interpreter.path} -m pip install django`, or name another"
        )
    return environment
