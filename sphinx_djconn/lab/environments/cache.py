"""The folder in which environments are kept: each complete or absent, whoever makes it and however that ends.

A virtual environment cannot be moved: its scripts name its interpreter's place. So each attempt to make one has
a folder of its own, at its final place, and is complete once the file ``complete`` beside it names it::

    environments/
        3f0c…/            one for the same requirements and interpreter
            lock          held by the build that makes it
            complete      JSON: which attempt it is, and what it was made of
            a1b2c3/       an attempt, also those that came to nothing, until the next build sweeps them
"""

import fcntl
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.errors import EnvironmentCreationError
from sphinx_djconn.lab.process.cancellation import Cancellation

_LOOK: Final = 0.05
"""Seconds between two tries to get a lock: waiting inside ``flock`` could not be interrupted."""


def default_folder(variables: Mapping[str, str] | None = None) -> Path:
    """Return the folder for this user's caches, and ours in it (XDG Base Directory; macOS has its own)."""
    variables = os.environ if variables is None else variables
    home = Path(variables.get("HOME") or Path.home())
    apple = home / "Library/Caches"
    given = variables.get("XDG_CACHE_HOME", "")
    cache = Path(given) if Path(given).is_absolute() else apple if sys.platform == "darwin" else home / ".cache"
    return cache / "sphinx_djconn" / "environments"


class CachedEnvironment:
    """The place of one environment, ``name`` in ``cache``."""

    def __init__(self, cache: Path, name: str) -> None:
        self._folder = cache / name

    def complete(self) -> tuple[Path, dict[str, Any]] | None:
        """Return the folder of the complete environment and what is noted of it, where there is one."""
        try:
            noted = json.loads((self._folder / "complete").read_text("utf-8"))
            folder = self._folder / str(noted["attempt"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (folder, noted) if os.access(folder / "env/bin/python", os.X_OK) else None

    @contextmanager
    def locked(self, interruption: Cancellation, seconds: float, waiting: Callable[[], None]) -> Iterator[None]:
        """Be the only one, of all builds on this machine, that makes this environment.

        ``waiting`` is called once where another does. Raises :class:`EnvironmentCreationError` after
        ``seconds``, or where the folder cannot be written, and ``Cancelled``.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentCreationError(
                f"no environment can be made in {self._folder}: {error.strerror}; make that folder writable, "
                "or set XDG_CACHE_HOME"
            ) from None
        try:
            self._wait(lock, interruption, time.monotonic() + seconds, waiting)
            try:
                yield
            finally:
                fcntl.flock(
                    lock, fcntl.LOCK_UN
                )  # also for children that were forked meanwhile and have it, too
        finally:
            os.close(lock)

    def attempt(self) -> Path:
        """Return a name for the folder of a new attempt; what others have left is removed. Needs the lock."""
        kept = self.complete()
        for each in self._folder.iterdir():
            if each.is_dir() and (kept is None or each != kept[0]):
                shutil.rmtree(each, ignore_errors=True)
        return self._folder / secrets.token_hex(3)

    def note(self, attempt: Path, noted: Mapping[str, Any]) -> None:
        """Say that ``attempt`` is complete, at once or not at all. Needs the lock.

        Raises :class:`EnvironmentCreationError` where that cannot be written; then the attempt is removed.
        """
        new = self._folder / "complete.new"
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump({**noted, "attempt": attempt.name}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / "complete")
        except OSError as error:
            shutil.rmtree(attempt, ignore_errors=True)
            with suppress(OSError):
                new.unlink()
            raise EnvironmentCreationError(
                f"an environment was made in {self._folder}, and that could not be noted: {error.strerror}; "
                "free some space, or set XDG_CACHE_HOME to a folder on another disk"
            ) from None

    def _wait(
        self, lock: int, interruption: Cancellation, deadline: float, waiting: Callable[[], None]
    ) -> None:
        told = False
        while True:
            interruption.check()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return
            if not told:
                waiting()
                told = True
            if time.monotonic() > deadline:
                raise EnvironmentCreationError(
                    f"another build has been making the environment in {self._folder} for long, and holds its "
                    "lock; wait for that build, or end it"
                )
            time.sleep(_LOOK)
