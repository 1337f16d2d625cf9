"""An environment that can be used; the one that builds the docs is always one."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx_djconn.lab.environments.freeze import InstalledPackages

CURRENT: Final = "current"
"""The name of the environment that builds the docs."""

_PACKAGES: Final = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Environment:
    """An environment that can be used."""

    name: str
    python: str
    """The path of its interpreter; its servers' programs are beside it."""

    version: str
    """Its Python's, as ``3.12.1``."""

    folders: tuple[str, ...]
    """Where it imports distributions from."""

    stamped: str = ""
    base: str = ""
    """The interpreter that it was made from, where it was made."""

    unsupported: bool = False
    """Whether its Django does not support its Python."""

    @property
    def is_current(self) -> bool:
        """Whether it is the one that builds the docs."""
        return self.name == CURRENT

    @cached_property
    def installed(self) -> "InstalledPackages":
        """What is in it, as it was when this was asked first."""
        return self.contents()

    def contents(self) -> "InstalledPackages":
        """Return what is in it now: some hundredths of a second, nothing of it runs."""
        from sphinx_djconn.lab.environments.freeze import now  # noqa: PLC0415 - a replay does not ask

        # What builds the docs is being worked on, often: its project has a digest of its own.
        return now(self.version, map(Path, self.folders), self.stamped, checkouts=not self.is_current)

    @property
    def places(self) -> Mapping[Path, str]:
        """Its folders, and what a page shows for them; those of the current one are shown by the lab anyway."""
        if self.is_current:
            return {}
        shown = {Path(self.python).parent.parent: "<python>"}
        if self.base:
            home = Path(self.base).resolve().parent.parent
            minor = self.version.rpartition(".")[0]
            shown |= {home: "<python>", home / f"lib/python{minor}": "<python>"}
        for folder in map(Path, self.folders):
            shown[folder] = "<site-packages>" if folder.name in _PACKAGES else "<python>"
        return shown


@cache
def current() -> Environment:
    """Return the environment that builds the docs, as it is."""
    return Environment(CURRENT, sys.executable, sys.version.split()[0], tuple(each or "." for each in sys.path))
