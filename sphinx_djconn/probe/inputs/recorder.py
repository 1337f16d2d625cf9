"""Write names to the file of inputs, each name once."""

import fcntl
import os
from typing import Any, Callable, Dict

_HIGH = 200
"""The lowest number of the descriptor, so that those of the server keep theirs."""

_PROBE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = (_PROBE + os.sep, os.path.join(os.path.dirname(_PROBE), "lab") + os.sep)
"""The folders of this package whose code runs in the server's processes."""

# The original functions: a server may replace them later.
_write = os.write
_fspath = os.fspath


class InputRecorder:
    """Records names: in memory, until :meth:`write_to` names a file.

    A name is written as soon as it is used first, so that a process that is killed loses nothing. Nothing is
    recorded while ``paused`` is set. ``records`` are the keys of a dictionary.
    """

    def __init__(self) -> None:
        self.paused = False
        self.records: Dict[str, None] = {}
        self._file = ""
        self._fd = -1

    def write_to(self, path: str) -> None:
        """Append what was recorded so far to the file ``path``, and from now on each new record."""
        self._file = path
        self._open()
        self._write("".join([f"{record}\0" for record in self.records]))

    def record(self, kind: str, name: str) -> None:
        """Record ``name``, unless it was recorded before."""
        record = kind + name
        if record not in self.records and not self.paused:
            self.records[record] = None
            if self._fd >= 0:
                self._write(record + "\0")

    def record_path(self, kind: str, path: Any) -> None:
        """Record a path as the functions of :mod:`os` take it; a descriptor is ignored."""
        if not isinstance(path, int):
            self.record(kind, absolute(path))

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            fd = os.open(self._file, flags, 0o600)
        except OSError:  # the run's folder is gone
            self._fd = -1
            return
        try:
            self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        except OSError:  # the process is limited to few descriptors
            self._fd = os.dup(fd)
        finally:
            os.close(fd)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        try:
            _write(self._fd, data)
        except OSError:  # the server has closed all descriptors that it doesn't know
            self._open()
            if self._fd >= 0:
                _write(self._fd, data)


def absolute(path: Any) -> str:
    """Return an absolute path as text."""
    if type(path) is not str:
        path = "." if path is None else os.fsdecode(_fspath(path))
    return path if path[:1] == "/" else os.path.join(os.getcwd(), path)


def quietly(call: Callable[..., None], *args: Any) -> None:
    """Call ``call``, and ignore its exceptions: they must not reach the server."""
    try:
        call(*args)
    except Exception:  # noqa: BLE001 - any exception would be ours
        return
