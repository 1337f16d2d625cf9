"""A folder of a private cluster: short enough for sockets, gone when nobody holds it any more."""

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.errors import ClusterError

_PREFIX: Final = "djconn-cluster-"
_LONGEST: Final = 103 - len("/.s.PGSQL.5432")
"""``sun_path`` of macOS has 104 bytes, the shortest; Linux's has 108 (unix(7))."""

_BEGINNING: Final = 60.0
"""Seconds in which a folder without a lock may still get one."""


class Folder:
    """A name for a folder, which :meth:`make` makes. It is locked as long as this process lives.

    A folder that no process holds is removed by whoever comes next, see :func:`sweep`.
    """

    def __init__(self, parents: Sequence[Path] | None = None) -> None:
        candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - short
        name = _PREFIX + secrets.token_hex(6)
        paths = [parent.absolute() / name for parent in parents or candidates]
        fitting = [
            path for path in paths if len(os.fsencode(path)) <= _LONGEST and os.access(path.parent, os.W_OK)
        ]
        if not fitting:
            raise ClusterError(
                f"no folder for the sockets of a database server: their names may have {_LONGEST} bytes, and "
                f"{', '.join(str(path.parent) for path in paths)} are longer or not writable; let TMPDIR name "
                "a folder with a short name"
            )
        self.path = fitting[0]
        self._lock = -1

    def make(self, owner: tuple[int, int] | None) -> None:
        """Make it, for ``owner`` (user, group) and nobody else, and remove those that were left behind."""
        sweep(self.path.parent)
        self.path.mkdir(mode=0o700)
        unlocked = self.path / "lock.new"
        self._lock = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unlocked.rename(self.path / "lock")
        if owner is not None:
            os.chown(self.path, *owner)

    def free(self) -> int:
        """Return the bytes that are free there."""
        try:
            return shutil.disk_usage(self.path).free
        except OSError:
            return 0

    def remove(self) -> None:
        """Remove it and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep(parent: Path) -> None:
    """Remove from ``parent`` the folders of clusters whose build was killed together with all else."""
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path) -> bool:
    if path.is_symlink() or os.geteuid() not in {0, path.stat().st_uid}:
        return False
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return time.time() - path.stat().st_mtime > _BEGINNING
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
