"""Folders with all that is in them: what their files contain, or whether anybody has touched one since."""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - as below
"""The folder of our own code."""

_SKIPPED_FOLDERS: Final = frozenset(
    {"__pycache__", "node_modules", "venv", "env", "site-packages", "htmlcov", "_build"}
)
_SKIPPED_SUFFIXES: Final = (".pyc", ".sqlite3", ".sqlite3-journal", ".db", ".log", ".pid")


def tree(folder: Path, apart: Collection[Path] = ()) -> str:
    """Return a digest of the names and contents of a folder's files, caches and data left out.

    What is in one of the folders ``apart`` does not count either.
    """
    hashed = hashlib.sha256()
    for path in _files(str(folder), frozenset(map(str, apart))):
        name = path[len(str(folder)) :].lstrip(os.sep).replace(os.sep, "/")
        hashed.update(f"{name}\0{_content(path)}\n".encode())
    return hashed.hexdigest()


def touches(folder: str, apart: Collection[str] = ()) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the path of each file that counts in :func:`tree`, and what changes with whatever is done to it.

    The last two of these are times, in nanoseconds since 1970: when it was written, and when anything of it was
    changed. Only a change in the very moment of an earlier one, a tick of the file system's clock, can leave
    both as they are.
    """
    for path in _files(folder, apart):
        yield path, touch(path)


def touch(path: str) -> tuple[int, ...]:
    """Return what changes with whatever is done to ``path``, as in :func:`touches`; nothing if it is gone."""
    try:
        found = os.stat(path)  # noqa: PTH116 - as below
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def installed(folder: str) -> list[str]:
    """Return what tells the distributions in ``folder``, an entry of ``sys.path``, and their versions.

    The names of their folders do; reading the metadata of each takes as long as a small build.
    """
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - names are all that is wanted
    except OSError:  # a zip file, or nothing
        return []
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as below
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "unreadable"


def _files(folder: str, apart: Collection[str]) -> Iterator[str]:
    """Yield the files as texts, those of the folder itself first: objects for each would take too long.

    However deep they are, as far as the system has paths for them.
    """
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED_FOLDERS and entry.path not in apart:
                    folders.append(entry.path)
            elif not entry.name.endswith(_SKIPPED_SUFFIXES) and _is_file(entry):
                yield entry.path
        pending.extend(reversed(folders))


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file, or leads to one; asks the system about links only."""
    return entry.is_file(follow_symlinks=False) or os.path.isfile(entry)  # noqa: PTH113
