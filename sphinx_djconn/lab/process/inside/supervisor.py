"""Keep one server: start it, report its end, and see that nothing of it stays.

``python -I -S supervisor.py``, or a fork of ``forkserver.py``, reads two lines of JSON from standard input: one
with ``folder``, one with what to start (``argv``, ``env``, ``cwd``, ``log``, ``log_limit`` in bytes,
``seconds``). Then come commands: ``stop SECONDS`` (SIGTERM, and SIGKILL after so many seconds) and
``kill``. It writes lines of JSON to standard output: ``{"pid": n}``, ``{"exit": status}``,
``{"flood": true}``, ``{"late": true}``, ``{"stubborn": true}`` (SIGTERM was not enough), ``{"gone": true}``,
``{"error": message}`` where the server could not be started.

Whatever ends the process that started it closes its standard input, and that is the end of the server
too: then it also removes ``folder``, which nobody else can any more. On Linux it is the "subreaper" of
its descendants, so that a server's grandchild that went into a session of its own is found as well.

Once the server is started, nothing here needs a file or a folder: the server may remove all of them. Whatever
goes wrong here, the server's processes are killed.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
_LINES = 2
"""How many lines come before the commands."""

_HIGHEST = 256
"""One more than the highest descriptor that a child could have from its parent."""

_LOG_CHECK = 0.05
"""Seconds between two looks at the size of the server's log."""


class Supervisor:
    """The life of one server, from its start to the end of its last process."""

    def __init__(self, spec: dict[str, Any], folder: str) -> None:
        self.spec = spec
        self.folder = folder
        self.pid = 0
        self.exited = False
        self.deadline: float = time.monotonic() + spec["seconds"]
        self.kill_at: float | None = None
        self.orphaned = False
        self.log = -1

    def run(self, woken: int, commands: bytes) -> None:
        """Start the server and stay until it and all its descendants are gone."""
        try:
            self.start()
            self.watch(woken, commands)
        except OSError as error:
            tell(error=str(error))
        finally:
            self.kill_all()
        if self.orphaned:
            remove_tree(self.folder)
        else:
            tell(gone=True)

    def watch(self, woken: int, commands: bytes) -> None:
        """Obey ``commands`` and those that follow until the server, or the lab, is gone."""
        commands = self.obey(commands)
        while True:
            readable, _, _ = select.select([0, woken], [], [], self.patience())
            if woken in readable:
                os.read(woken, 4096)
                self.reap()
            if 0 in readable:
                received = receive()
                if not received:
                    self.orphaned = True
                    break
                commands = self.obey(commands + received)
            if self.is_over():
                break

    def obey(self, commands: bytes) -> bytes:
        """Do what the lines of ``commands`` say; return what is no whole line yet."""
        *lines, rest = commands.split(b"\n")
        for command in lines:
            if command == b"kill":
                self.kill_at = 0.0
            else:
                self.terminate(float(command.split()[1]))
        return rest

    def become(self) -> None:
        """Be the server, in the child; whatever this raises is that process's own business."""
        argv = self.spec["argv"]
        try:
            os.execvpe(argv[0], argv, self.spec["env"])
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
            os._exit(127)

    def start(self) -> None:
        """Fork the server: this process has one thread, so the child can run any code."""
        self.log = os.open(self.spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            die_with_parent(parent)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self.log, 1)
            os.dup2(self.log, 2)
            os.closerange(3, _HIGHEST)
            signal.set_wakeup_fd(-1)
            restore_signals()
            try:
                os.chdir(self.spec["cwd"])
            except OSError as error:
                os.write(2, f"{self.spec['cwd']}: {error.strerror}\n".encode())
                os._exit(127)
            self.become()
        tell(pid=self.pid)

    def patience(self) -> float:
        """Return the seconds until something is due even if nothing is heard."""
        due = self.deadline if self.kill_at is None else min(self.deadline, self.kill_at)
        return max(0.0, min(_LOG_CHECK, due - time.monotonic()))

    def is_over(self) -> bool:
        """Return whether all that is left to do is to clear away."""
        now = time.monotonic()
        if self.kill_at is not None and (self.exited or now >= self.kill_at):
            if not self.exited and self.kill_at > 0:
                tell(stubborn=True)
            return True
        if now >= self.deadline:
            tell(late=True)
            return True
        if not self.exited and os.fstat(self.log).st_size > self.spec["log_limit"]:
            tell(flood=True)
            return True
        return False

    def terminate(self, seconds: float) -> None:
        """Ask the server to end within ``seconds``."""
        self.kill_at = time.monotonic() + seconds
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def reap(self) -> None:
        """Collect every child that has ended, adopted ones too."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.exited = True
                    tell(exit=os.waitstatus_to_exitcode(status))

    def kill_all(self) -> None:
        """Kill the server and all its descendants, and wait until the last one is gone."""
        if self.pid == 0:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # there is none any more
            while True:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    for pid in children():
                        with contextlib.suppress(ProcessLookupError, PermissionError):
                            os.kill(pid, signal.SIGKILL)
                    os.waitpid(-1, 0)


def children() -> Iterator[int]:
    """Yield the process ids of this process's children; none where there is no /proc."""
    me = os.getpid()
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                    if int(stat.read().rpartition(b")")[2].split()[1]) == me:
                        yield int(name)


def remove_tree(folder: str) -> None:
    """Remove ``folder``, as far as that is possible: however deep it is, and whatever its permissions are."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        _remove_deep(folder)


def _remove_deep(folder: str) -> None:
    """Remove ``folder`` with one open descriptor and names of one part, at whatever depth."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    os.chmod(folder, 0o700)
    here = os.open(folder, flags)
    within: list[str] = []
    try:
        while True:
            inner = _first_folder(here)
            if inner is not None:
                os.chmod(inner, 0o700, dir_fd=here)
                found = os.open(inner, flags, dir_fd=here)
                within.append(inner)
            elif within:
                found = os.open("..", flags, dir_fd=here)
                os.rmdir(within.pop(), dir_fd=found)
            else:
                break
            os.close(here)
            here = found
    finally:
        os.close(here)
    os.rmdir(folder)


def _first_folder(here: int) -> str | None:
    """Remove the files in the folder that is open as ``here`` up to the first folder; return its name."""
    for name in os.listdir(here):
        try:
            os.unlink(name, dir_fd=here)
        except OSError:
            return name
    return None


def control(option: int, value: int) -> None:
    """Call ``prctl``, which only Linux has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def restore_signals() -> None:
    """Handle every signal by its default, and block none, as what an interactive shell starts.

    What Python ignores is inherited by the programs that it executes, and so is what the process that builds
    the docs ignores, or blocks. Handlers that are not Python's own (``faulthandler``) stay.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def die_with_parent(parent: int) -> None:
    """End with the process ``parent``, where the system can see to that."""
    control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)


def receive() -> bytes:
    """Return what the lab has sent; nothing where it is gone, even with reports that it has not read."""
    try:
        return os.read(0, 65536)
    except ConnectionResetError:
        return b""


def tell(**message: Any) -> None:
    """Report to the lab; where it is gone, standard input will say so."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def supervise(kind: type[Supervisor]) -> None:
    """Read what to start, and keep it as ``kind`` does."""
    for number in _HANDLED[:-1]:
        signal.signal(number, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    control(_PR_SET_CHILD_SUBREAPER, 1)
    received = b""
    while received.count(b"\n") < _LINES:
        more = receive()
        if not more:
            break
        received += more
    first, *rest = received.split(b"\n", _LINES)
    if not rest:
        return
    folder = json.loads(first)["folder"]
    if len(rest) == _LINES:
        kind(json.loads(rest[0]), folder).run(woken, rest[1])
    else:
        remove_tree(folder)


if __name__ == "__main__":
    supervise(Supervisor)
