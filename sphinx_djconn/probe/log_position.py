"""How much there is in the server's log: each event tells it, so that a page can put lines between events."""

import fcntl
import os
import stat
import termios

from .fds import raised

ANSWER = bytearray(2048)
"""Where the kernel puts how much is left of the log: longer than what ``fcntl.ioctl`` would copy."""

left_told = memoryview(ANSWER).cast("i")
FIONREAD = termios.FIONREAD
ioctl = fcntl.ioctl


def opened_again(fd: int) -> int:
    """Return a descriptor at the start of the file that ``fd`` is open on; -1 where :func:`left` fails."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return -1
        low = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
        try:
            again = raised(low)
        finally:
            os.close(low)
        return again if left(again) == os.fstat(fd).st_size else -1
    except OSError:  # no Linux, or nothing that may be read
        return -1


def left(fd: int) -> int:
    """Return how many bytes there are behind the position of ``fd``.

    ``fstat`` would let another thread have the interpreter meanwhile. A call of ``ioctl`` that changes more
    than 1,024 bytes in their place does not, up to Python 3.13 (``Modules/fcntlmodule.c``). Threads share
    the bytes: what one of them reads is what the log holds by now, whoever has asked.
    """
    ioctl(fd, FIONREAD, ANSWER)
    return left_told[0]
