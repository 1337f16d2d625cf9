"""Names for paths that mean the same on another machine."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROJECT: Final = "project"
CHECKOUT: Final = "checkout"
HOME: Final = "home"
PACKAGES: Final = "site-packages"
COMMITTED: Final = (PROJECT, CHECKOUT)
"""Roots of what comes with the documentation, to every machine."""

_MARKS: Final = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")


class Roots:
    """Folders by name; the innermost one counts."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        prefixes = {f"{place.rstrip(os.sep)}{os.sep}": name for name, place in reversed(self._places.items())}
        for name, place in places.items():
            prefixes.setdefault(f"{os.path.realpath(place).rstrip(os.sep)}{os.sep}", name)
        self._prefixes = sorted(prefixes.items(), key=lambda each: -len(each[0]))

    def name(self, path: str) -> str:
        """Return the name of ``path``, an absolute one."""
        for prefix, root in self._prefixes:
            if path.startswith(prefix):
                return f"{root}:{path[len(prefix) :]}"
            if path == prefix[:-1]:
                return f"{root}:"
        return path

    def path(self, name: str) -> str:
        """Return the path that ``name`` means here; nothing where this machine has no such root."""
        if name.startswith(os.sep):
            return name
        root, _, rest = name.partition(":")
        place = self._places.get(root)
        if place is None:
            return ""
        return os.path.join(place, rest) if rest else place  # noqa: PTH118 - there are many


def shown(name: str) -> str:
    """Return ``name`` as a reader knows the path."""
    root, _, rest = name.partition(":")
    if root in COMMITTED:
        return rest or "the project's folder"
    if root == HOME:
        return f"~/{rest}"
    return name if name.startswith(os.sep) else f"{root}/{rest}"


def root_of(name: str) -> str:
    """Return the root of ``name``; nothing where it is an absolute path."""
    return "" if name.startswith(os.sep) else name.partition(":")[0]


def checkout(confdir: Path) -> Path:
    """Return the folder that is checked out, with the documentation in it; else the one around ``confdir``."""
    for folder in (confdir, *confdir.parents):
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
    around = confdir.parent
    return confdir if around in (Path(around.anchor), Path.home()) else around
