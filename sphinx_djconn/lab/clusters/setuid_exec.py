"""Become another user, and then the program that is named: ``python -I -S become.py UID GID PROGRAM …``.

Only the standard library: it is executed as a file. A change of the user takes back the order to die with
the parent (``prctl(2)``, PR_SET_PDEATHSIG), so that is given anew.
"""

import ctypes
import os
import shutil
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    user, group = int(sys.argv[1]), int(sys.argv[2])
    program = shutil.which(sys.argv[3]) or sys.argv[3]  # now: later, root's own library may be out of reach
    parent = os.getppid()
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:
        os.execv(program, sys.argv[3:])  # noqa: S606 - no shell is meant
