"""Names for paths that mean the same on other machines."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROJECT: Final = "project"
CHECKOUT: Final = "checkout"
HOME: Final = "home"
PACKAGES: Final = "site-packages"
COMMITTED: Final = (PROJECT, CHECKOUT)
"""Roots of what is committed with the documentation, so that every machine has it."""

_MARKS: Final = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")


class Roots:
    """Named folders. A path gets the name of the innermost one that contains it."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = dict(folders)
        prefixes = {f"{path.rstrip(os.sep)}{os.sep}": name for name, path in reversed(self._folders.items())}
        for name, path in folders.items():
            prefixes.setdefault(f"{os.path.realpath(path).rstrip(os.sep)}{os.sep}", name)
        self._prefixes = sorted(prefixes.items(), key=lambda each: -len(each[0]))

    def name(self, path: str) -> str:
        """Return the name of the absolute path ``path``."""
        for prefix, root in self._prefixes:
            if path.startswith(prefix):
                return f"{root}:{path[len(prefix) :]}"
            if path == prefix[:-1]:
                return f"{root}:"
        return path

    def path(self, name: str) -> str:
        """Return the path of ``name`` on this machine; an empty string if its root does not exist here."""
        if name.startswith(os.sep):
            return name
        root, _, rest = name.partition(":")
        folder = self._folders.get(root)
        if folder is None:
            return ""
        return os.path.join(folder, rest) if rest else folder  # noqa: PTH118 - there are many


def display_name(name: str) -> str:
    """Return ``name`` for messages."""
    root, _, rest = name.partition(":")
    if root in COMMITTED:
        return rest or "the project's folder"
    if root == HOME:
        return f"~/{rest}"
    return name if name.startswith(os.sep) else f"{root}/{rest}"


def root_of(name: str) -> str:
    """Return the root of ``name``; an empty string if it is an absolute path."""
    return "" if name.startswith(os.sep) else name.partition(":")[0]


def checkout(confdir: Path) -> Path:
    """Return the folder of the repository that contains ``confdir``, or else the parent of ``confdir``."""
    for folder in (confdir, *confdir.parents):
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
    parent = confdir.parent
    return confdir if parent in (Path(parent.anchor), Path.home()) else parent
