"""How to run a database server if the build runs as root, which database servers refuse.

Root starts them in a user namespace, in which its own files belong to another user. If the kernel or the
container forbids that, root starts them as another user.

A namespace also contains System V shared memory. PostgreSQL leaves a segment of it if it is killed, and the
kernel removes it with the namespace. So users other than root get a namespace, too, if the kernel permits it.
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

_SETUID_EXEC: Final = Path(__file__).with_name("setuid_exec.py")
_TIMEOUT: Final = 10.0


class RunAs(NamedTuple):
    """A way to run a command as a user who is not root.

    ``prefix`` goes before the command, and ``owner`` (user, group) is who has to own the server's folder,
    ``None`` for the user of the build.
    """

    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None


@functools.cache
def find_run_as() -> RunAs:
    """Return the first way to run a database server that works here.

    Raises :class:`AbsentError` if there is none.
    """
    problems = []
    for run_as in _candidates():
        problem = _problem(run_as)
        if problem is None:
            return run_as
        problems.append(f"`{run_as.prefix[0]}` ({problem})")
    raise AbsentError(
        "database servers do not run as root, and root cannot become another user here; a user namespace and "
        f"another user were tried: {', '.join(problems) or 'neither is available'}; permit one of them to the "
        "container, or build the docs as another user"
    )


def _candidates() -> Iterator[RunAs]:
    is_root = os.geteuid() == 0
    user, group = _unprivileged_user()
    unshare = shutil.which("unshare")
    if unshare is not None:
        namespace = (unshare, "--user", f"--map-user={user}", f"--map-group={group}")
        yield RunAs((*namespace, "--ipc"))
        if is_root:
            yield RunAs(namespace)
    if is_root:
        yield RunAs((sys.executable, "-I", "-S", str(_SETUID_EXEC), str(user), str(group)), (user, group))
    else:
        yield RunAs()


def _unprivileged_user() -> tuple[int, int]:
    """Return the ids of a user and a group. The user is not root and has a name, which ``initdb`` requires."""
    users = {each.pw_uid: each for each in pwd.getpwall() if each.pw_uid != 0}
    if os.geteuid() in users:
        return os.geteuid(), os.getegid()
    nobody = next((each for each in users.values() if each.pw_name == "nobody"), None)
    user = nobody or next(iter(users.values()), None)
    return (65534, 65534) if user is None else (user.pw_uid, user.pw_gid)


def _problem(run_as: RunAs) -> str | None:
    """Return why a command cannot be run in this way; ``None`` if it can."""
    try:
        done = subprocess.run(
            [*run_as.prefix, "true"], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]
