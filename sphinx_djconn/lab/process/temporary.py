"""Temporary folders that are locked as long as their build lives; what a killed build left is removed later.

The lock is ``flock(2)`` on the folder itself. The kernel releases it when the build ends, however it ends, and
it needs no file in the folder. A folder is made while its parent has a shared lock, and :func:`sweep` looks for
abandoned ones while it has an exclusive one: so no folder is found before it is locked.
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
except ImportError:  # Windows, where recordings can be replayed, and nothing runs
    fcntl = None  # type: ignore[assignment]

RUN: Final = "djconn-run-"
CLUSTER: Final = "djconn-cluster-"
TESTING: Final = "djconn-testing-"
_OURS: Final = re.compile(rf"(?:{RUN}|{CLUSTER}|{TESTING})[0-9a-f]{{8}}")
"""Earlier releases had longer names, and another kind of lock."""

_PLAIN: Final = re.compile(r"[\w./+@%=-]+", re.ASCII)
"""A path that can stand in PYTHONPATH (which ``:`` separates), in settings of servers (``,``), in a command."""

_OTHERS: Final = ("/tmp", "/var/tmp")  # noqa: S108 - where TMPDIR does not serve
_PATIENCE: Final = 1.0
"""Seconds to wait for a lock on the parent: other programs may hold one."""

_GLANCE: Final = 0.005


class TemporaryFolder:
    """A name for a folder in ``parent``, which :meth:`make` makes and locks."""

    def __init__(self, parent: Path, prefix: str) -> None:
        self.path = parent / f"{prefix}{secrets.token_hex(4)}"
        self._lock = -1

    def make(self) -> None:
        """Make it, for this user alone. Raises ``OSError``."""
        with _locked(self.path.parent, exclusively=False):
            self.path.mkdir(mode=0o700)
            self._lock = _lock_of(self.path)

    def remove(self) -> None:
        """Remove it and all that is in it."""
        if self.path.is_dir():
            _remove(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for the files of a program that uses the lab without any docs."""
    folder = TemporaryFolder(Path(tempfile.gettempdir()), TESTING)
    folder.make()
    try:
        yield folder.path
    finally:
        folder.remove()


def candidates() -> list[Path]:
    """Return the folders for temporary files, TMPDIR first, without those whose names do not serve."""
    found = [Path(tempfile.gettempdir()), *map(Path, _OTHERS)]
    return [path for path in found if _PLAIN.fullmatch(str(path.absolute()))]


def sweep() -> None:
    """Remove the folders of builds that have ended, with the processes that still use them."""
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
    """Return the folders in ``parent`` that nobody has locked, with a lock on each."""
    found = []
    try:
        names = [path.name for path in parent.iterdir() if _OURS.fullmatch(path.name)]
    except OSError:
        return []
    if names and fcntl is not None:
        with _locked(parent, exclusively=True) as alone:
            for path in map(parent.joinpath, names) if alone else ():
                with suppress(OSError):
                    if path.is_symlink() or os.geteuid() not in {0, path.stat().st_uid}:
                        continue
                    lock = _lock_of(path)
                    if lock >= 0:
                        found.append((path, lock))
    return found


def _lock_of(path: Path) -> int:
    """Return the descriptor that holds a lock on ``path``; -1 where somebody else does, or nobody can."""
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
def _locked(parent: Path, *, exclusively: bool) -> Iterator[bool]:
    """Hold a lock on ``parent`` while the block runs; yield whether there is one."""
    if fcntl is None:
        yield False
        return
    try:
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        kind = fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH
        limit = time.monotonic() + _PATIENCE
        while not (locked := _try_lock(descriptor, kind)) and time.monotonic() < limit:
            time.sleep(_GLANCE)
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
    """Kill the processes that were started for ``folder``, and wait until they are gone.

    A supervisor does that; this is for where the supervisor was killed. Processes are found on Linux: by their
    variables, what they write to, and the memory that they share with the lab.
    """
    limit = time.monotonic() + seconds
    while found := _processes_of(os.fsencode(folder)):
        for pid in found:
            with suppress(OSError):
                os.kill(pid, 9)
        if time.monotonic() >= limit:
            return
        time.sleep(_GLANCE)


def _processes_of(folder: bytes) -> list[int]:
    try:
        processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []
    return [int(path.name) for path in processes if int(path.name) != os.getpid() and _is_of(path, folder)]


def _is_of(process: Path, folder: bytes) -> bool:
    """Return whether a process has ``folder`` in a variable, as its output or input, or in its memory."""
    for stream in ("fd/0", "fd/1", "fd/2"):
        with suppress(OSError):
            if os.fsencode(process.joinpath(stream).readlink()).startswith(folder + b"/"):
                return True
    for file in ("environ", "maps"):
        with suppress(OSError):
            if folder + b"/" in process.joinpath(file).read_bytes():
                return True
    return False
