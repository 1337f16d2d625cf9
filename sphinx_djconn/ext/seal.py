"""Seals: whether a check would find out what an earlier one has found out, which had nothing to say.

Where nothing at all has changed, that is certain without reading what pages declare, a file of the project or a
recording: their sizes and times are enough. Whatever has changed, be it of importance or not, breaks the seal;
then the check looks at the contents.
"""

import hashlib
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from sphinx.application import Sphinx

from sphinx_djconn import __version__
from sphinx_djconn.ext.config import given
from sphinx_djconn.ext.packed import Packed
from sphinx_djconn.lab.trees import PACKAGE, installed, touches

if TYPE_CHECKING:
    from pathlib import Path

    from sphinx_djconn.ext.registry import DeclaredScenario
    from sphinx_djconn.lab import Profiles, Project
    from sphinx_djconn.scenario import Scenario

_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which another change of a file has another time: no usual file system has longer ticks."""

Folder: TypeAlias = tuple[str, Sequence[str]]
"""A folder, and those in it that do not count."""


class Seal(NamedTuple):
    """The folders that a check depends on, and a digest of all that it depends on, as that was before it."""

    folders: Sequence[Folder]
    digest: str

    def holds(self, app: Sphinx, declared: object) -> bool:
        """Return whether nothing has changed since; ``declared`` are the declarations as the env has them."""
        return isinstance(declared, Packed) and _look(app, declared, self.folders)[0] == self.digest

    def covers(self, scenario: "Scenario", profiles: "Profiles") -> bool:
        """Return whether the recording of ``scenario`` depends on nothing else: no server of a database, no
        environment but the one that builds the docs.
        """
        from sphinx_djconn.lab.environments import CURRENT  # noqa: PLC0415 - where no seal holds

        here = scenario.environment == CURRENT and not profiles.databases[scenario.database].has_server
        return here and _folder(profiles.projects[scenario.project]) in self.folders


def seal(
    app: Sphinx,
    declared: object,
    declarations: "Iterable[DeclaredScenario]",
    profiles: "Profiles",
    recordings: "Path",
) -> Seal | None:
    """Return the seal of the check that is about to begin; ``None`` where that has to run all, where a page was
    read in this build, or where a file was changed just now.
    """
    if not isinstance(declared, Packed) or app.config.djconn_mode == "run":
        return None
    names = sorted({each.scenario.project for each in declarations if each.scenario is not None})
    projects = [_folder(profiles.projects[name]) for name in names if name in profiles.projects]
    folders = [(str(recordings), ()), *projects]
    begun = time.time_ns()
    found, newest = _look(app, declared, folders)
    return Seal(folders, found) if newest < begun - _SETTLED else None


def _folder(project: "Project") -> Folder:
    return str(project.path), sorted(map(str, project.apart))


def _look(app: Sphinx, declared: Packed, folders: Iterable[Folder]) -> tuple[str, int]:
    """Return a digest of everything that can be seen from outside, and the time of the newest change."""
    distributions = [(entry, name) for entry in sys.path for name in installed(entry)]
    # That of a distribution which is worked on may have no version in its name.
    unnamed = [(f"{entry}/{name}", ()) for entry, name in distributions if name.endswith(".egg-info")]
    looked = [*folders, (PACKAGE, ()), *unnamed]
    files = [touched for folder, apart in looked for touched in touches(folder, apart)]
    parts = (
        __version__,
        sys.version,
        sys.path,
        distributions,
        (str(app.srcdir), str(app.confdir), given(app.config)),
        hashlib.sha256(declared.content).digest(),
        files,
    )
    newest = max((max(touch[-2:]) for _, touch in files if touch), default=0)
    return hashlib.sha256(repr(parts).encode()).hexdigest(), newest
