"""The folder of all environments. Builds share it, and each environment in it is complete or absent.

A virtual environment cannot be moved, because its scripts contain the path of its interpreter. So each attempt
to create one has its own folder, at its final place, and the file ``complete`` names the one that succeeded::

    environments/
        3f0c…/            one for the same requirements and interpreter
            lock          locked by the build that creates it
            complete      JSON: which attempt succeeded, and what it was created from
            a1b2c3/       an attempt; failed ones are removed by the next build
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

_LOCK_INTERVAL: Final = 0.05
"""Seconds between two attempts to get the lock. A blocking ``flock`` could not be cancelled."""


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return our folder in the user's folder for caches (XDG Base Directory; macOS has its own)."""
    home = Path(environ.get("HOME") or Path.home())
    xdg = environ.get("XDG_CACHE_HOME", "")
    if Path(xdg).is_absolute():
        caches = Path(xdg)
    else:
        caches = home / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return caches / "sphinx_djconn" / "environments"


class CachedEnvironment:
    """The folder of one environment, ``name`` in ``cache``."""

    def __init__(self, cache: Path, name: str) -> None:
        self._folder = cache / name

    def read(self) -> tuple[Path, dict[str, Any]] | None:
        """Return the folder and the metadata of the complete environment; ``None`` if there is none."""
        try:
            metadata = json.loads((self._folder / "complete").read_text("utf-8"))
            folder = self._folder / str(metadata["attempt"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (folder, metadata) if os.access(folder / "env/bin/python", os.X_OK) else None

    @contextmanager
    def locked(self, cancellation: Cancellation, timeout: float, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the lock of this environment, of which there is one for all builds on this machine.

        ``on_wait`` is called once if another build has the lock. Raises :class:`EnvironmentCreationError` after
        ``timeout`` seconds or if the folder cannot be written, and ``Cancelled``.
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
            self._acquire(lock, cancellation, time.monotonic() + timeout, on_wait)
            try:
                yield
            finally:
                # Not only closed: a child that was forked meanwhile has the descriptor, too.
                fcntl.flock(lock, fcntl.LOCK_UN)
        finally:
            os.close(lock)

    def new_attempt(self) -> Path:
        """Return the path for a new attempt, and remove what failed ones left. Needs the lock."""
        complete = self.read()
        for path in self._folder.iterdir():
            if path.is_dir() and (complete is None or path != complete[0]):
                shutil.rmtree(path, ignore_errors=True)
        return self._folder / secrets.token_hex(3)

    def mark_complete(self, attempt: Path, metadata: Mapping[str, Any]) -> None:
        """Record atomically that ``attempt`` is complete. Needs the lock.

        Raises :class:`EnvironmentCreationError` if that cannot be written; then the attempt is removed.
        """
        temporary = self._folder / "complete.new"
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump({**metadata, "attempt": attempt.name}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / "complete")
        except OSError as error:
            shutil.rmtree(attempt, ignore_errors=True)
            with suppress(OSError):
                temporary.unlink()
            raise EnvironmentCreationError(
                f"an environment was made in {self._folder}, but its metadata could not be written: "
                f"{error.strerror}; free some space, or set XDG_CACHE_HOME to a folder on another disk"
            ) from None

    def _acquire(
        self, lock: int, cancellation: Cancellation, deadline: float, on_wait: Callable[[], None]
    ) -> None:
        waiting = False
        while True:
            cancellation.check()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return
            if not waiting:
                on_wait()
                waiting = True
            if time.monotonic() > deadline:
                raise EnvironmentCreationError(
                    f"another build still holds the lock of the environment in {self._folder}; wait for that "
                    "build, or end it"
                )
            time.sleep(_LOCK_INTERVAL)
