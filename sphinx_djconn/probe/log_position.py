"""The size of the server's log: each event has it, so that pages can show log lines between events."""

import fcntl
import os
import stat
import termios

from .fds import high_copy

ANSWER = bytearray(2048)
"""Where the kernel writes the answer. Larger than the 1,024 bytes that ``fcntl.ioctl`` would copy."""

_answered_size = memoryview(ANSWER).cast("i")
FIONREAD = termios.FIONREAD
ioctl = fcntl.ioctl


def reopened(fd: int) -> int:
    """Open the file of ``fd`` again and return a descriptor at its start, or -1.

    Returns -1 if ``fd`` is no regular file, or if :func:`bytes_left` does not work with it.
    """
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return -1
        low = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
        try:
            again = high_copy(low)
        finally:
            os.close(low)
        return again if bytes_left(again) == os.fstat(fd).st_size else -1
    except OSError:  # not Linux, or a file that this process may not read
        return -1


def bytes_left(fd: int) -> int:
    """Return how many bytes of the file are behind the position of ``fd``: from its start, the size.

    ``fstat`` would release the interpreter's lock. Up to Python 3.13, a call of ``ioctl`` with a buffer of more
    than 1,024 bytes does not (``Modules/fcntlmodule.c``). All threads share the buffer: what one of them reads
    is the size of the log by now, whichever thread asked.
    """
    ioctl(fd, FIONREAD, ANSWER)
    return _answered_size[0]
