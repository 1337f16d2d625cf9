"""A folder of a private cluster: short enough for sockets, gone when nobody holds it any more."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.errors import ClusterError
from sphinx_djconn.lab.process.temporary import CLUSTER, TemporaryFolder, candidates

_LONGEST: Final = 103 - len("/.s.PGSQL.5432")
"""``sun_path`` of macOS has 104 bytes, the shortest; Linux's has 108 (unix(7))."""


class ClusterFolder:
    """A name for a folder, which :meth:`make` makes. It is locked as long as this process lives."""

    def __init__(self, parents: Sequence[Path] | None = None) -> None:
        folders = [TemporaryFolder(parent.absolute(), CLUSTER) for parent in parents or candidates()]
        fitting = [
            each
            for each in folders
            if len(os.fsencode(each.path)) <= _LONGEST and os.access(each.path.parent, os.W_OK)
        ]
        if not fitting:
            looked = ", ".join(str(each.path.parent) for each in folders)
            raise ClusterError(
                f"no folder for the sockets of a database server: their names may have {_LONGEST} bytes, and "
                f"{looked} are longer or not writable; let TMPDIR name a folder with a short name"
            )
        self._folder = fitting[0]
        self.path = self._folder.path

    def make(self, owner: tuple[int, int] | None) -> None:
        """Make it, for ``owner`` (user, group) and nobody else."""
        self._folder.make()
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
        self._folder.remove()
