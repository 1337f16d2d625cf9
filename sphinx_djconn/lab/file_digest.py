"""Digests of all files in a folder, and stamps that show whether a file has changed."""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - as below
"""The folder of this package."""

_SKIPPED_FOLDERS: Final = frozenset(
    {"__pycache__", "node_modules", "venv", "env", "site-packages", "htmlcov", "_build"}
)
_SKIPPED_SUFFIXES: Final = (".pyc", ".sqlite3", ".sqlite3-journal", ".db", ".log", ".pid")


def tree_digest(folder: Path, excluded: Collection[Path] = ()) -> str:
    """Return a digest of the names and contents of the files in ``folder``, at any depth.

    Caches, data and what is in one of the ``excluded`` folders is left out.
    """
    hashed = hashlib.sha256()
    for path in _files(str(folder), frozenset(map(str, excluded))):
        name = path[len(str(folder)) :].lstrip(os.sep).replace(os.sep, "/")
        hashed.update(f"{name}\0{_content(path)}\n".encode())
    return hashed.hexdigest()


def file_stamps(folder: str, excluded: Collection[str] = ()) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield path and stamp of each file that :func:`tree_digest` includes; see :func:`file_stamp`."""
    for path in _files(folder, excluded):
        yield path, file_stamp(path)


def file_stamp(path: str) -> tuple[int, ...]:
    """Return the stamp of the file ``path``, which every change of the file changes; empty if there is none.

    It is inode, size, and the times of the last change of the content and of anything else, in nanoseconds
    since 1970. Only a second change within the same tick of the file system's clock can keep it.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - as below
    except (OSError, ValueError):
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def metadata_folders(folder: str) -> list[str]:
    """Return the names of the metadata folders in ``folder``, an entry of ``sys.path``.

    They contain name and version of each distribution. To read all metadata takes as long as a small build.
    """
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - only the names are needed
    except OSError:  # a zip file, or nothing
        return []
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as below
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "unreadable"


def _files(folder: str, excluded: Collection[str]) -> Iterator[str]:
    """Yield the paths of the files at any depth, those of the folder itself first.

    They are strings: creating a ``Path`` for each takes too long.
    """
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as iterator:
                entries = sorted(iterator, key=lambda entry: entry.name)
        except OSError:
            continue
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED_FOLDERS and entry.path not in excluded:
                    folders.append(entry.path)
            elif not entry.name.endswith(_SKIPPED_SUFFIXES) and _is_file(entry):
                yield entry.path
        pending.extend(reversed(folders))


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file or a link to one; only links need a system call."""
    return entry.is_file(follow_symlinks=False) or os.path.isfile(entry)  # noqa: PTH113
