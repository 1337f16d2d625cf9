"""Database servers refuse to run as root: who they run as instead.

Root starts them in a user namespace, where its own files belong to somebody else; where the kernel or the
container forbids that, as another user. Whoever may have a namespace has one for System V shared memory,
too: PostgreSQL leaves a segment of that when it is killed, and with the namespace it is gone.
"""

import functools
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sphinx_djconn.lab.errors import AbsentError

_BECOME: Final = Path(__file__).with_name("setuid_exec.py")
_PATIENCE: Final = 10.0


class Disguise(NamedTuple):
    """``prefix`` goes before a command; ``owner`` (user, group) must have the server's folder, if any."""

    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None


@functools.cache
def disguise() -> Disguise:
    """Return the first way to run a database server that works here.

    Raises :class:`AbsentError` where root has none.
    """
    tried = []
    for each in _ways():
        problem = _problem(each)
        if problem is None:
            return each
        tried.append(f"`{each.prefix[0]}` ({problem})")
    raise AbsentError(
        "database servers do not run as root, and root can become nobody else here: tried were a user "
        f"namespace and another user: {', '.join(tried) or 'neither is there'}; permit one of them to the "
        "container, or build the docs as another user"
    )


def _ways() -> Iterator[Disguise]:
    root = os.geteuid() == 0
    user, group = _somebody()
    unshare = shutil.which("unshare")
    if unshare is not None:
        namespace = (unshare, "--user", f"--map-user={user}", f"--map-group={group}")
        yield Disguise((*namespace, "--ipc"))
        if root:
            yield Disguise(namespace)
    if root:
        yield Disguise((sys.executable, "-I", "-S", str(_BECOME), str(user), str(group)), (user, group))
    else:
        yield Disguise()


def _somebody() -> tuple[int, int]:
    """Return user and group that are not root's and have a name: ``initdb`` asks for that of its user."""
    with_name = {each.pw_uid: each for each in pwd.getpwall() if each.pw_uid != 0}
    if os.geteuid() in with_name:
        return os.geteuid(), os.getegid()
    nobody = next((each for each in with_name.values() if each.pw_name == "nobody"), None)
    chosen = nobody or next(iter(with_name.values()), None)
    return (65534, 65534) if chosen is None else (chosen.pw_uid, chosen.pw_gid)


def _problem(way: Disguise) -> str | None:
    try:
        done = subprocess.run(
            [*way.prefix, "true"], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]
