"""How a process finds out that it is a forked child, whoever has forked it, Python or a server in C."""

import mmap
import os
import sys
from typing import Any, Optional

_WIPEONFORK = 18
"""``MADV_WIPEONFORK`` of Linux 4.14 and later, for which ``mmap`` has no name."""


def own_byte() -> Any:
    """Return what has 0 as its first item in a process where 1 was not put there since it was forked."""
    return _lost_in_children() or _Own()


class _Own:
    """The same where there is no such memory, for the price of a system call each time."""

    pid = -1

    def __getitem__(self, _: int) -> int:
        return int(os.getpid() == self.pid)

    def __setitem__(self, _: int, value: int) -> None:
        self.pid = os.getpid()


def _lost_in_children() -> Optional[mmap.mmap]:
    """Return a byte that is 0 in a forked child, whoever forks it; ``None`` where the kernel knows no such."""
    if not sys.platform.startswith("linux") or not hasattr(mmap.mmap, "madvise"):  # Python 3.7 and earlier
        return None
    memory = mmap.mmap(-1, 1, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(_WIPEONFORK)
    except OSError:
        return None
    return memory
