"""Files of this machine: what they contain, which names are in a folder. Each is looked at once in a build."""

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
"""The content of a file that was written while it was being used: nobody knows which content was."""

_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which another change of a file has another time: no usual file system has longer ticks."""

_DIGITS: Final = 20
_CHUNK: Final = 1 << 20

_Touch = tuple[int, ...]


class Files:
    """Looks at files. ``kept`` is a file that keeps digests from one build to the next.

    A file whose size, times and inode are as they were has the content that it had. All that is asked of one
    build has one answer: what is changed or added while it goes on is so in the view of the next build.
    """

    def __init__(self, kept: Path | None = None) -> None:
        self.begun = time.time_ns()
        self._kept = kept
        self._read = False
        self._changed = False
        self._known: dict[str, tuple[_Touch, str]] = {}
        self._digests: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._names: dict[str, dict[str, list[str]]] = {}
        self._unsure: set[str] = set()
        self._complete: dict[str, int] = {}

    def complete(self, folder: str) -> None:
        """Note that ``folder``, which this build may have made, has all its files before runs look for any."""
        self._complete.setdefault(os.path.join(folder, ""), time.time_ns())  # noqa: PTH118 - as above

    def _since(self, path: str) -> int:
        """Return the time from which a change of ``path`` may be one that a run has not seen."""
        return next((at for folder, at in self._complete.items() if path.startswith(folder)), self.begun)

    def digest(self, path: str) -> str:
        """Return a digest of the content of the file ``path``, ``folder``, or :data:`ABSENT`."""
        found = self._digests.get(path)
        if found is None:
            found = self._digests[path] = self._look(path)
        return found

    def used(self, path: str) -> str:
        """Return the digest of a file that a run of this build has used, as far as it is known."""
        # What was looked at before the run, and changed since, is another file in the view of the next build.
        found = self.digest(path)
        return CHANGED_MEANWHILE if path in self._unsure else found

    def kind(self, path: str) -> str:
        """Return ``file``, ``folder`` or :data:`ABSENT`."""
        found = self._kinds.get(path)
        if found is None:
            try:
                status = os.stat(path)  # noqa: PTH116 - there are many
            except (OSError, ValueError):
                found = ABSENT
            else:
                found = FOLDER if stat.S_ISDIR(status.st_mode) else FILE
                if found == FILE and status.st_ctime_ns >= self._since(path):
                    found = ABSENT  # as it was when runs may have looked for it
            self._kinds[path] = found
        return found

    def is_newer(self, path: str) -> bool:
        """Return whether ``path`` was written since the build began."""
        try:
            return os.stat(path).st_mtime_ns >= self._since(path)  # noqa: PTH116 - as above
        except OSError:
            return False

    def names(self, folder: str) -> dict[str, list[str]]:
        """Return the names in ``folder`` by what stands before their first dot; none if it is no folder."""
        found = self._names.get(folder)
        if found is None:
            found = {}
            for name in self._listed(folder):
                found.setdefault(name.partition(".")[0], []).append(name)
            self._names[folder] = found
        return found

    def _listed(self, folder: str) -> list[str]:
        """Return the names in ``folder``, without those of files that came while the build was going on."""
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
        except (OSError, ValueError):
            return []
        if not self.is_newer(folder):
            return names
        return [name for name in names if self.kind(os.path.join(folder, name)) != ABSENT]  # noqa: PTH118

    def save(self) -> None:
        """Keep the digests of files that have settled, for the next build."""
        if self._kept is None or not self._changed:
            return
        now = time.time_ns()
        lines = {
            path: [*touch, digest]
            for path, (touch, digest) in sorted(self._known.items())
            if path in self._digests and max(touch[-2:]) < now - _SETTLED
        }
        self._changed = False
        temporary = self._kept.with_name(f"{self._kept.name}-{secrets.token_hex(4)}.part")
        with suppress(OSError):  # then they are read once more
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(lines), "utf-8")
            temporary.replace(self._kept)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)

    def _look(self, path: str) -> str:
        try:
            status = os.stat(path)  # noqa: PTH116 - as above
        except (OSError, ValueError):  # a name with a zero byte, too
            return ABSENT
        if stat.S_ISDIR(status.st_mode):
            return FOLDER
        if not stat.S_ISREG(status.st_mode):
            return FILE
        if self._since(path) <= status.st_mtime_ns <= time.time_ns():
            self._unsure.add(path)
        touch = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if not self._read:
            self._read = True
            self._known.update(self._recalled())
        known = self._known.get(path)
        if known is not None and known[0] == touch:
            return known[1]
        found = _content(path)
        self._known[path] = touch, found
        self._changed = True
        return found

    def _recalled(self) -> Iterator[tuple[str, tuple[_Touch, str]]]:
        if self._kept is None:
            return
        with suppress(OSError, ValueError, AttributeError, TypeError):
            for path, (*touch, digest) in json.loads(self._kept.read_text("utf-8")).items():
                yield path, (tuple(touch), str(digest))


def _content(path: str) -> str:
    hashed = hashlib.sha256()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
    except OSError:
        return "unreadable"
    return hashed.hexdigest()[:_DIGITS]
