"""File descriptors and mapped files with high numbers, so that the server's descriptors keep theirs."""

import fcntl
import mmap
import os
from typing import List, Optional

_HIGH = 200
"""The lowest number of the probe's descriptors."""


def high_copy(fd: int) -> int:
    """Return a copy of ``fd`` with a high number, closed on exec; -1 if ``fd`` is closed."""
    for lowest in (_HIGH, 3):  # the second if the process is limited to few descriptors
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:
            continue
    return -1


def map_file(path: str, size: int, offset: int = 0) -> Optional[mmap.mmap]:
    """Map ``size`` bytes of the file ``path``, shared with other processes; return ``None`` if that fails."""
    fillers: List[int] = []
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        # ``mmap`` keeps a copy of the descriptor with the lowest free number: use up all that are lower.
        while fd < _HIGH and (not fillers or fillers[-1] < _HIGH - 1):
            fillers.append(os.dup(fd))
    except OSError:  # the process is limited to few descriptors
        _close(fillers)
    try:
        return mmap.mmap(fd, size, offset=offset)
    except (OSError, ValueError):
        return None
    finally:
        _close([*fillers, fd])


def _close(descriptors: List[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
