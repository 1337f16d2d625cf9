"""The files of this machine: their digests, and the names in folders. Each is read once in a build."""

import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx_djconn.inputs import ABSENT

FILE: Final = "file"
FOLDER: Final = "folder"
CHANGED_MEANWHILE: Final = "?"
"""The digest of a file that was written while it was used: it is unknown which content was used."""

_CLOCK_TICK: Final = 2_000_000_000
"""Nanoseconds after which a second change of a file has another time, on all usual file systems."""

_DIGITS: Final = 20
_CHUNK: Final = 1 << 20

_Status = tuple[int, ...]
"""Inode, size and times of a file."""


class Files:
    """Reads files and folders. ``cache`` is a file with digests, which the next build uses.

    A file with the same size, times and inode has the same content. Each question has one answer in a build:
    what is changed or added meanwhile is seen by the next build.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self.start = time.time_ns()
        self._cache = cache
        self._is_cache_read = False
        self._is_cache_outdated = False
        self._cached: dict[str, tuple[_Status, str]] = {}
        self._digests: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._names: dict[str, dict[str, list[str]]] = {}
        self._changed_meanwhile: set[str] = set()
        self._completed: dict[str, int] = {}

    def mark_complete(self, folder: str) -> None:
        """Mark ``folder``, which this build may have created, as complete before runs use it."""
        self._completed.setdefault(os.path.join(folder, ""), time.time_ns())  # noqa: PTH118 - as above

    def _start_for(self, path: str) -> int:
        """Return the time from which on a change of ``path`` may not have been seen by a run."""
        return next((time for folder, time in self._completed.items() if path.startswith(folder)), self.start)

    def digest(self, path: str) -> str:
        """Return a digest of the file ``path``, or ``folder``, or :data:`ABSENT`."""
        if path not in self._digests:
            self._digests[path] = self._read(path)
        return self._digests[path]

    def digest_used(self, path: str) -> str:
        """Return the digest of a file that a run of this build has used; it may be unknown."""
        digest = self.digest(path)
        return CHANGED_MEANWHILE if path in self._changed_meanwhile else digest

    def kind(self, path: str) -> str:
        """Return ``file``, ``folder`` or :data:`ABSENT`."""
        kind = self._kinds.get(path)
        if kind is None:
            try:
                status = os.stat(path)  # noqa: PTH116 - there are many
            except (OSError, ValueError):
                kind = ABSENT
            else:
                kind = FOLDER if stat.S_ISDIR(status.st_mode) else FILE
                if kind == FILE and status.st_ctime_ns >= self._start_for(path):
                    kind = ABSENT  # it did not exist when runs may have checked
            self._kinds[path] = kind
        return kind

    def is_newer(self, path: str) -> bool:
        """Return whether ``path`` was written since the build began."""
        try:
            return os.stat(path).st_mtime_ns >= self._start_for(path)  # noqa: PTH116 - as above
        except OSError:
            return False

    def names(self, folder: str) -> dict[str, list[str]]:
        """Return the names in ``folder``, grouped by the part before the first dot; none if it is no folder."""
        groups = self._names.get(folder)
        if groups is None:
            groups = {}
            for name in self._list(folder):
                groups.setdefault(name.partition(".")[0], []).append(name)
            self._names[folder] = groups
        return groups

    def _list(self, folder: str) -> list[str]:
        """Return the names in ``folder``, without those of files that were created during the build."""
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - only names are needed
        except (OSError, ValueError):
            return []
        if not self.is_newer(folder):
            return names
        return [name for name in names if self.kind(os.path.join(folder, name)) != ABSENT]  # noqa: PTH118

    def save(self) -> None:
        """Write the cache, with the digests of files that were not changed just now."""
        if self._cache is None or not self._is_cache_outdated:
            return
        now = time.time_ns()
        entries = {
            path: [*status, digest]
            for path, (status, digest) in sorted(self._cached.items())
            if path in self._digests and max(status[-2:]) < now - _CLOCK_TICK
        }
        self._is_cache_outdated = False
        temporary = self._cache.with_name(f"{self._cache.name}-{secrets.token_hex(4)}.part")
        with suppress(OSError):  # the next build reads the files again
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(entries), "utf-8")
            temporary.replace(self._cache)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)

    def _read(self, path: str) -> str:
        try:
            status = os.stat(path)  # noqa: PTH116 - as above
        except (OSError, ValueError):  # ValueError: a name with a null byte
            return ABSENT
        if stat.S_ISDIR(status.st_mode):
            return FOLDER
        if not stat.S_ISREG(status.st_mode):
            return FILE
        if self._start_for(path) <= status.st_mtime_ns <= time.time_ns():
            self._changed_meanwhile.add(path)
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if not self._is_cache_read:
            self._is_cache_read = True
            self._cached.update(self._read_cache())
        cached = self._cached.get(path)
        if cached is not None and cached[0] == key:
            return cached[1]
        digest = _content_digest(path)
        self._cached[path] = key, digest
        self._is_cache_outdated = True
        return digest

    def _read_cache(self) -> Iterator[tuple[str, tuple[_Status, str]]]:
        if self._cache is None:
            return
        with suppress(OSError, ValueError, AttributeError, TypeError):
            for path, (*status, digest) in json.loads(self._cache.read_text("utf-8")).items():
                yield path, (tuple(status), str(digest))


def _content_digest(path: str) -> str:
    hashed = hashlib.sha256()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
    except OSError:
        return "unreadable"
    return hashed.hexdigest()[:_DIGITS]
