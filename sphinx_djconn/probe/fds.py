"""Descriptors of the probe's own, out of the way of the server's: copies of some, and memory of files."""

import fcntl
import mmap
import os
from typing import List, Optional

_HIGH = 200
"""Descriptors of the probe's start here, so that the server's have the numbers they always had."""


def raised(fd: int) -> int:
    """Return a copy of ``fd`` that programs do not inherit; -1 where ``fd`` is closed."""
    for lowest in (_HIGH, 3):  # the second where a process may have few descriptors
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:
            continue
    return -1


def mapped(path: str, size: int, offset: int = 0) -> Optional[mmap.mmap]:
    """Return ``size`` bytes of the file ``path``, shared by all who map it; ``None`` without it."""
    taken: List[int] = []
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        # ``mmap`` keeps a copy of the descriptor with the lowest number that is free.
        while fd < _HIGH and (not taken or taken[-1] < _HIGH - 1):
            taken.append(os.dup(fd))
    except OSError:  # a process that may have few descriptors
        _close(taken)
    try:
        return mmap.mmap(fd, size, offset=offset)
    except (OSError, ValueError):
        return None
    finally:
        _close([*taken, fd])


def _close(descriptors: List[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
