"""Become another user and execute a program: ``python -I -S setuid_exec.py UID GID PROGRAM …``.

It is executed as a file, so it uses only the standard library. A change of the user clears the signal that the
kernel sends when the parent ends (``prctl(2)``, PR_SET_PDEATHSIG), so that is set again.
"""

import ctypes
import os
import shutil
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    user, group = int(sys.argv[1]), int(sys.argv[2])
    # Before the change of the user, who may have no access to folders of root's PATH.
    program = shutil.which(sys.argv[3]) or sys.argv[3]
    parent = os.getppid()
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:
        os.execv(program, sys.argv[3:])  # noqa: S606 - no shell is meant
