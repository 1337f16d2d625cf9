"""An environment that can be used. The one that builds the docs always exists."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.environments.freeze import InstalledPackages, installed_packages

CURRENT: Final = "current"
"""The name of the environment that builds the docs."""

_PACKAGES: Final = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Environment:
    """An environment that can be used."""

    name: str
    python: str
    """The path of its interpreter. The programs of its servers are beside it."""

    version: str
    """The version of its Python, for example ``3.12.1``."""

    folders: tuple[str, ...]
    """The folders that it imports distributions from."""

    stamp: str = ""
    """The digest of ``folders`` when it was created; empty if we did not create it."""

    base: str = ""
    """The path of the interpreter that it was created with, if we created it."""

    unsupported: bool = False
    """Whether its Django does not support its Python."""

    @property
    def is_current(self) -> bool:
        """Whether it is the one that builds the docs."""
        return self.name == CURRENT

    @cached_property
    def installed(self) -> InstalledPackages:
        """The installed packages, as they were at the first access."""
        return self.read_packages()

    def read_packages(self) -> InstalledPackages:
        """Return the packages that are installed now. Takes some hundredths of a second; executes nothing."""
        # The current environment often has the project itself in editable mode, which has its own digest.
        return installed_packages(
            self.version, map(Path, self.folders), self.stamp, checkouts=not self.is_current
        )

    @property
    def path_labels(self) -> Mapping[Path, str]:
        """Its folders, with what a page shows in their place. Those of the current one are masked elsewhere."""
        if self.is_current:
            return {}
        labels = {Path(self.python).parent.parent: "<python>"}
        if self.base:
            home = Path(self.base).resolve().parent.parent
            minor = self.version.rpartition(".")[0]
            labels |= {home: "<python>", home / f"lib/python{minor}": "<python>"}
        for folder in map(Path, self.folders):
            labels[folder] = "<site-packages>" if folder.name in _PACKAGES else "<python>"
        return labels


@cache
def current() -> Environment:
    """Return the environment that builds the docs."""
    return Environment(CURRENT, sys.executable, sys.version.split()[0], tuple(each or "." for each in sys.path))
