"""The folder of a private cluster. Its path is short enough for sockets."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.errors import ClusterError
from sphinx_djconn.lab.process.temporary import CLUSTER, TemporaryFolder, candidates

_MAX_LENGTH: Final = 103 - len("/.s.PGSQL.5432")
"""``sun_path`` has 104 bytes on macOS and 108 on Linux (unix(7))."""


class ClusterFolder:
    """The path of a folder, which :meth:`make` creates. It is locked until this process ends."""

    def __init__(self, parents: Sequence[Path] | None = None) -> None:
        folders = [TemporaryFolder(parent.absolute(), CLUSTER) for parent in parents or candidates()]
        suitable = [
            folder
            for folder in folders
            if len(os.fsencode(folder.path)) <= _MAX_LENGTH and os.access(folder.path.parent, os.W_OK)
        ]
        if not suitable:
            tried = ", ".join(str(folder.path.parent) for folder in folders)
            raise ClusterError(
                f"there is no folder for the sockets of a database server: paths may have {_MAX_LENGTH} bytes, "
                f"and those in {tried} are longer or not writable; let TMPDIR name a folder with a short path"
            )
        self._folder = suitable[0]
        self.path = self._folder.path

    def make(self, owner: tuple[int, int] | None) -> None:
        """Create it. Only ``owner`` (user, group) has access; by default, the current user."""
        self._folder.make()
        if owner is not None:
            os.chown(self.path, *owner)

    def free_bytes(self) -> int:
        """Return the free space on its disk."""
        try:
            return shutil.disk_usage(self.path).free
        except OSError:
            return 0

    def remove(self) -> None:
        """Remove it and its content."""
        self._folder.remove()
