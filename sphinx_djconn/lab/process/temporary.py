"""Temporary folders that are locked while their build runs; a later build removes those of a killed build.

The lock is ``flock(2)`` on the folder itself. The kernel releases it when the build ends, in whatever way, and
it needs no file in the folder. A folder is created while its parent has a shared lock, and :func:`sweep`
searches for abandoned ones while the parent has an exclusive lock. So it never finds a folder that is not
locked yet.
"""

import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, on which recordings can be replayed but nothing runs
    fcntl = None  # type: ignore[assignment]

RUN: Final = "djconn-run-"
CLUSTER: Final = "djconn-cluster-"
TESTING: Final = "djconn-testing-"
_NAME: Final = re.compile(rf"(?:{RUN}|{CLUSTER}|{TESTING})[0-9a-f]{{8}}")
"""The names of folders of this release; earlier ones had longer names, and another kind of lock."""

_PORTABLE_PATH: Final = re.compile(r"[\w./+@%=-]+", re.ASCII)
"""A path without separators of PYTHONPATH (``:``), of servers' settings (``,``) and of commands."""

_FALLBACKS: Final = ("/tmp", "/var/tmp")  # noqa: S108 - if the path in TMPDIR is not portable
_LOCK_TIMEOUT: Final = 1.0
"""Seconds to wait for a lock on the parent: other programs may hold one."""

_POLL_INTERVAL: Final = 0.005
"""Seconds between two attempts to take a lock, and between two searches for processes."""


class TemporaryFolder:
    """A folder in ``parent``, whose name is chosen now and which :meth:`make` creates and locks."""

    def __init__(self, parent: Path, prefix: str) -> None:
        self.path = parent / f"{prefix}{secrets.token_hex(4)}"
        self._lock = -1

    def make(self) -> None:
        """Create it, for this user only. Raises ``OSError``."""
        with _locked(self.path.parent, exclusive=False):
            self.path.mkdir(mode=0o700)
            self._lock = _try_lock_folder(self.path)

    def remove(self) -> None:
        """Remove it and everything in it."""
        if self.path.is_dir():
            _remove(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for a program that uses the lab without docs; it is removed afterwards."""
    folder = TemporaryFolder(Path(tempfile.gettempdir()), TESTING)
    folder.make()
    try:
        yield folder.path
    finally:
        folder.remove()


def candidates() -> list[Path]:
    """Return the folders for temporary files that have portable paths, TMPDIR first."""
    folders = [Path(tempfile.gettempdir()), *map(Path, _FALLBACKS)]
    return [path for path in folders if _PORTABLE_PATH.fullmatch(str(path.absolute()))]


def sweep() -> None:
    """Remove the folders of builds that have ended, and kill the processes that still use them."""
    for parent in {path.resolve() for path in candidates()}:
        for path, lock in _abandoned(parent):
            try:
                end_processes_of(path)
                _remove(path)
            finally:
                os.close(lock)


def _remove(path: Path) -> None:
    from sphinx_djconn.lab.process.inside.supervisor import remove_tree  # noqa: PLC0415 - not on Windows

    remove_tree(str(path))


def _abandoned(parent: Path) -> list[tuple[Path, int]]:
    """Return the folders in ``parent`` that no build has locked, and the lock that this takes on each."""
    abandoned = []
    try:
        names = [path.name for path in parent.iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return []
    if names and fcntl is not None:
        with _locked(parent, exclusive=True) as is_locked:
            for path in map(parent.joinpath, names) if is_locked else ():
                with suppress(OSError):
                    if path.is_symlink() or os.geteuid() not in {0, path.stat().st_uid}:
                        continue
                    lock = _try_lock_folder(path)
                    if lock >= 0:
                        abandoned.append((path, lock))
    return abandoned


def _try_lock_folder(path: Path) -> int:
    """Lock ``path``, and return the descriptor that holds the lock; -1 if another process holds it."""
    if fcntl is None:
        return -1
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return -1
    return descriptor


@contextmanager
def _locked(parent: Path, *, exclusive: bool) -> Iterator[bool]:
    """Hold a lock on ``parent`` while the block runs; yield whether it was taken."""
    if fcntl is None:
        yield False
        return
    try:
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        limit = time.monotonic() + _LOCK_TIMEOUT
        while not (locked := _try_lock(descriptor, kind)) and time.monotonic() < limit:
            time.sleep(_POLL_INTERVAL)
        yield locked
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def end_processes_of(folder: Path, *, seconds: float = 2.0) -> None:
    """Kill the processes that were started for ``folder``, and wait until they have ended.

    Usually a supervisor does that; this is for a supervisor that was killed. Processes are found on Linux only:
    by their variables, their standard streams, and the files that they have mapped into memory.
    """
    limit = time.monotonic() + seconds
    while pids := _processes_of(os.fsencode(folder)):
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, 9)
        if time.monotonic() >= limit:
            return
        time.sleep(_POLL_INTERVAL)


def _processes_of(folder: bytes) -> list[int]:
    try:
        processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []
    return [int(path.name) for path in processes if int(path.name) != os.getpid() and _is_of(path, folder)]


def _is_of(process: Path, folder: bytes) -> bool:
    """Return whether ``folder`` is in a variable, a standard stream, or the memory maps of ``process``."""
    for stream in ("fd/0", "fd/1", "fd/2"):
        with suppress(OSError):
            if os.fsencode(process.joinpath(stream).readlink()).startswith(folder + b"/"):
                return True
    for file in ("environ", "maps"):
        with suppress(OSError):
            if folder + b"/" in process.joinpath(file).read_bytes():
                return True
    return False
