"""Seals: whether a check would find out what an earlier one has found out, which had nothing to say.

Where nothing at all has changed, that is certain without reading what pages declare, a file that a run used, or
a recording: their sizes and times are enough. Whatever has changed, be it of importance or not, breaks the
seal; then the check looks at the contents.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sphinx.application import Sphinx

from sphinx_djconn import __version__
from sphinx_djconn.ext.config import given
from sphinx_djconn.ext.packed import PickledDeclarations
from sphinx_djconn.lab.file_digest import PACKAGE, file_stamp, file_stamps, metadata_folders

if TYPE_CHECKING:
    from pathlib import Path

_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which another change of a file has another time: no usual file system has longer ticks."""


class UpToDateStamp(NamedTuple):
    """What a check depends on, and a digest of all that, as it was at the check.

    ``folders`` count with all that is in them, ``paths`` by themselves; both are joined by zero bytes, since
    there are many and each build reads them. ``variables`` are those of the environment, ``None`` where all
    count.
    """

    folders: str
    paths: str
    variables: Sequence[str] | None
    digest: str

    def holds(self, app: Sphinx, declared: object) -> bool:
        """Return whether nothing has changed since; ``declared`` are the declarations as the env has them."""
        return isinstance(declared, PickledDeclarations) and _look(app, declared, *self[:3])[0] == self.digest


class Dependencies(NamedTuple):
    """The paths and the variables that recordings depend on; ``None`` stands for all variables."""

    paths: Iterable[str]
    variables: Iterable[str] | None


def seal(
    app: Sphinx, declared: object, dependencies: Dependencies, recordings: "Path", begun: int
) -> UpToDateStamp | None:
    """Return the seal of the check that began at the time ``begun``, in nanoseconds since 1970.

    Returns ``None`` where a check has to run all, where a page was read in this build, or where a file was
    changed just before the check, or since it began.
    """
    if not isinstance(declared, PickledDeclarations) or app.config.djconn_mode == "run":
        return None
    paths = "\0".join(sorted(set(dependencies.paths)))
    names = None if dependencies.variables is None else sorted(set(dependencies.variables))
    found, newest = _look(app, declared, str(recordings), paths, names)
    return UpToDateStamp(str(recordings), paths, names, found) if newest < begun - _SETTLED else None


def _look(
    app: Sphinx, declared: PickledDeclarations, folders: str, paths: str, variables: Sequence[str] | None
) -> tuple[str, int]:
    """Return a digest of everything that can be seen from outside, and the time of the newest change."""
    here = os.getcwd()  # noqa: PTH109 - names are all that is wanted
    entries = [entry or "." for entry in sys.path]
    # What is worked on may be written into the folder that one is in: there, only distributions count.
    near = [(entry, metadata_folders(entry)) for entry in entries if os.path.abspath(entry) == here]  # noqa: PTH100
    looked = [*paths.split("\0"), *(entry for entry in entries if os.path.abspath(entry) != here)]  # noqa: PTH100
    files = [each for folder in (*folders.split("\0"), PACKAGE) for each in file_stamps(folder)]
    files += [(path, file_stamp(path)) for path in looked]
    environ = os.environ
    parts = (
        __version__,
        sys.version,
        sys.path,
        near,
        sorted(environ.items()) if variables is None else [(name, environ.get(name)) for name in variables],
        (str(app.srcdir), str(app.confdir), given(app.config)),
        hashlib.sha256(declared.content).digest(),
        files,
    )
    newest = max((max(touched[-2:]) for _, touched in files if touched), default=0)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest(), newest
