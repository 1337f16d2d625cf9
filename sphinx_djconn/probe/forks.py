"""Notice that this process was forked, by Python or by a server written in C."""

import mmap
import os
import sys
from typing import Any, Optional

_WIPEONFORK = 18
"""``MADV_WIPEONFORK`` of Linux 4.14 and later, for which ``mmap`` has no name."""


def fork_marker() -> Any:
    """Return an object whose item 0 can be set to 1, and is 0 again in a forked child."""
    return _wiped_on_fork() or _PidMarker()


class _PidMarker:
    """A marker for kernels without ``MADV_WIPEONFORK``. Reading it takes a system call."""

    pid = -1

    def __getitem__(self, _: int) -> int:
        return int(os.getpid() == self.pid)

    def __setitem__(self, _: int, value: int) -> None:
        self.pid = os.getpid()


def _wiped_on_fork() -> Optional[mmap.mmap]:
    """Return a byte of memory that the kernel clears in forked children, or ``None`` if it cannot."""
    if not sys.platform.startswith("linux") or not hasattr(mmap.mmap, "madvise"):  # Python 3.7 and earlier
        return None
    memory = mmap.mmap(-1, 1, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(_WIPEONFORK)
    except OSError:
        return None
    return memory
