"""The up-to-date stamp: lets a build skip the check if nothing has changed since the last one.

The stamp covers sizes and times of files, not their contents. Any difference makes the build run the check,
which compares contents. Without it, an unchanged build of 60 scenarios takes 1.4 times that of static text,
not 1.0.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sphinx.application import Sphinx

from sphinx_djconn import __version__
from sphinx_djconn.ext.config import config_values
from sphinx_djconn.lab.file_digest import PACKAGE, file_stamp, file_stamps, metadata_folders

_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which another change of a file gives it another time, on all usual file systems."""


class Dependencies(NamedTuple):
    """The paths and the environment variables that recordings depend on; ``None`` stands for all variables."""

    paths: Iterable[str]
    variables: Iterable[str] | None


class UpToDateStamp(NamedTuple):
    """What a check depended on, and a digest of its state.

    ``folder`` counts with all its files. ``paths`` are joined by zero bytes: every build reads the stamp, and
    there are many. ``variables`` are names of environment variables, or ``None`` for all.
    """

    folder: str
    paths: str
    variables: Sequence[str] | None
    digest: str

    def is_valid(self, app: Sphinx) -> bool:
        """Return whether nothing has changed since."""
        return _state(app, self.folder, self.paths, self.variables)[0] == self.digest


def make_stamp(app: Sphinx, dependencies: Dependencies, recordings: Path, started: int) -> UpToDateStamp | None:
    """Return the stamp of a check that started at the time ``started``, in nanoseconds since 1970.

    Returns ``None`` if all scenarios must run in every build, or if a file was changed just before the check,
    or since.
    """
    if app.config.djconn_mode == "run":
        return None
    paths = "\0".join(sorted(set(dependencies.paths)))
    names = None if dependencies.variables is None else sorted(set(dependencies.variables))
    state, newest = _state(app, str(recordings), paths, names)
    return UpToDateStamp(str(recordings), paths, names, state) if newest < started - _SETTLED else None


def _state(app: Sphinx, folder: str, paths: str, variables: Sequence[str] | None) -> tuple[str, int]:
    """Return a digest of everything that a check depends on, and the time of the newest change of a file."""
    here = os.getcwd()  # noqa: PTH109 - strings are faster than paths
    entries = [entry or "." for entry in sys.path]
    # Files in the current folder may change with every command: of these, only installed distributions count.
    distributions = [(entry, metadata_folders(entry)) for entry in entries if os.path.abspath(entry) == here]  # noqa: PTH100
    others = [entry for entry in entries if os.path.abspath(entry) != here]  # noqa: PTH100
    files = [file for root in (folder, PACKAGE) for file in file_stamps(root)]
    files += [(path, file_stamp(path)) for path in (*paths.split("\0"), *others)]
    environ = os.environ
    parts = (
        __version__,
        sys.version,
        sys.path,
        distributions,
        sorted(environ.items()) if variables is None else [(name, environ.get(name)) for name in variables],
        (str(app.srcdir), str(app.confdir), config_values(app.config)),
        sorted(app.env.all_docs.items()),  # changes whenever Sphinx reads or removes a page
        files,
    )
    newest = max((max(touched[-2:]) for _, touched in files if touched), default=0)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest(), newest
