"""Supervise one server: start it, report its end, and kill all its processes.

``python -I -S supervisor.py``, or a fork of ``forkserver.py``, reads two lines of JSON from standard input: one
with ``folder``, one with what to start (``argv``, ``env``, ``cwd``, ``log``, ``log_limit`` in bytes,
``seconds``). Commands follow: ``stop SECONDS`` (SIGTERM, then SIGKILL after that time) and ``kill``.

It writes lines of JSON to standard output:

* ``{"pid": n}``: the server was started;
* ``{"exit": status}``: the server has ended;
* ``{"flood": true}``: its log has exceeded the limit;
* ``{"late": true}``: it has exceeded its time;
* ``{"stubborn": true}``: it did not end after SIGTERM, and is killed;
* ``{"gone": true}``: all its processes have ended;
* ``{"error": message}``: it could not be started.

When the process that started the supervisor ends, in whatever way, standard input is closed. The supervisor
then kills the server, and removes ``folder``. On Linux it is the "subreaper" of its descendants, so that it
also finds a grandchild of the server with its own session.

After the server is started, the supervisor needs no file and no folder: the server may remove all of them. If
an error occurs here, the server's processes are killed.
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
_HEADER_LINES = 2
"""How many lines precede the commands."""

_MAX_FD = 256
"""Upper bound of the descriptors that a child can inherit from its parent."""

_LOG_CHECK_INTERVAL = 0.05
"""Seconds between two checks of the size of the server's log."""


class Supervisor:
    """Supervises one server, from its start to the end of its last process.

    ``spec`` is what to start, and ``folder`` is removed if the process that started the supervisor ends.
    """

    def __init__(self, spec: dict[str, Any], folder: str) -> None:
        self.spec = spec
        self.folder = folder
        self.pid = 0
        self.exited = False
        self.deadline: float = time.monotonic() + spec["seconds"]
        self.kill_at: float | None = None
        self.orphaned = False
        self.log = -1

    def run(self, wakeup_fd: int, commands: bytes) -> None:
        """Start the server, and return when it and all its descendants have ended.

        ``wakeup_fd`` is readable after a signal; ``commands`` is what was received already.
        """
        try:
            self.start()
            self.watch(wakeup_fd, commands)
        except OSError as error:
            report(error=str(error))
        finally:
            self.kill_all()
        if self.orphaned:
            remove_tree(self.folder)
        else:
            report(gone=True)

    def watch(self, wakeup_fd: int, commands: bytes) -> None:
        """Execute ``commands`` and those that follow, until the server or the lab has ended."""
        commands = self.execute(commands)
        while True:
            readable, _, _ = select.select([0, wakeup_fd], [], [], self.select_timeout())
            if wakeup_fd in readable:
                os.read(wakeup_fd, 4096)
                self.reap()
            if 0 in readable:
                received = receive()
                if not received:
                    self.orphaned = True
                    break
                commands = self.execute(commands + received)
            if self.is_over():
                break

    def execute(self, commands: bytes) -> bytes:
        """Execute the lines of ``commands``; return the incomplete line at the end."""
        *lines, rest = commands.split(b"\n")
        for command in lines:
            if command == b"kill":
                self.kill_at = 0.0
            else:
                self.terminate(float(command.split()[1]))
        return rest

    def exec_child(self) -> None:
        """Execute the server in the child. An exception propagates in the child, not in the supervisor."""
        argv = self.spec["argv"]
        try:
            os.execvpe(argv[0], argv, self.spec["env"])
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
            os._exit(127)

    def start(self) -> None:
        """Fork the server. This process has one thread, so the child can run any code."""
        self.log = os.open(self.spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            die_with_parent(parent)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self.log, 1)
            os.dup2(self.log, 2)
            os.closerange(3, _MAX_FD)
            signal.set_wakeup_fd(-1)
            restore_signals()
            try:
                os.chdir(self.spec["cwd"])
            except OSError as error:
                os.write(2, f"{self.spec['cwd']}: {error.strerror}\n".encode())
                os._exit(127)
            self.exec_child()
        report(pid=self.pid)

    def select_timeout(self) -> float:
        """Return the seconds until the next check, even if nothing is received."""
        due = self.deadline if self.kill_at is None else min(self.deadline, self.kill_at)
        return max(0.0, min(_LOG_CHECK_INTERVAL, due - time.monotonic()))

    def is_over(self) -> bool:
        """Return whether the server has ended, or has to be killed now; report why."""
        now = time.monotonic()
        if self.kill_at is not None and (self.exited or now >= self.kill_at):
            if not self.exited and self.kill_at > 0:
                report(stubborn=True)
            return True
        if now >= self.deadline:
            report(late=True)
            return True
        if not self.exited and os.fstat(self.log).st_size > self.spec["log_limit"]:
            report(flood=True)
            return True
        return False

    def terminate(self, seconds: float) -> None:
        """Send SIGTERM to the server, and let it be killed after ``seconds``."""
        self.kill_at = time.monotonic() + seconds
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def reap(self) -> None:
        """Reap every child that has ended, including orphaned descendants."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.exited = True
                    report(exit=os.waitstatus_to_exitcode(status))

    def kill_all(self) -> None:
        """Kill the server and all its descendants, and wait until all have ended."""
        if self.pid == 0:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # no child is left
            while True:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    for pid in children():
                        with contextlib.suppress(ProcessLookupError, PermissionError):
                            os.kill(pid, signal.SIGKILL)
                    os.waitpid(-1, 0)


def children() -> Iterator[int]:
    """Yield the ids of this process's children; none if there is no /proc."""
    parent = os.getpid()
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                    if int(stat.read().rpartition(b")")[2].split()[1]) == parent:
                        yield int(name)


def remove_tree(folder: str) -> None:
    """Remove ``folder`` as far as possible, whatever its depth and its permissions are."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        _remove_deep(folder)


def _remove_deep(folder: str) -> None:
    """Remove ``folder`` at any depth, with one open descriptor and relative names."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    os.chmod(folder, 0o700)
    current = os.open(folder, flags)
    path: list[str] = []
    try:
        while True:
            subfolder = _remove_files(current)
            if subfolder is not None:
                os.chmod(subfolder, 0o700, dir_fd=current)
                following = os.open(subfolder, flags, dir_fd=current)
                path.append(subfolder)
            elif path:
                following = os.open("..", flags, dir_fd=current)
                os.rmdir(path.pop(), dir_fd=following)
            else:
                break
            os.close(current)
            current = following
    finally:
        os.close(current)
    os.rmdir(folder)


def _remove_files(folder: int) -> str | None:
    """Remove the files in the open ``folder``, up to the first subfolder; return the name of that one."""
    for name in os.listdir(folder):
        try:
            os.unlink(name, dir_fd=folder)
        except OSError:
            return name
    return None


def prctl(option: int, value: int) -> None:
    """Call ``prctl`` on Linux, and do nothing on other systems."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def restore_signals() -> None:
    """Set all signals to their defaults, and unblock them, as for a program that a shell starts.

    A program inherits the signals that Python, or the process that builds the docs, ignores or blocks. Handlers
    that Python does not know (``faulthandler``) stay.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def die_with_parent(parent: int) -> None:
    """Let the system kill this process when its ``parent`` ends, if it can."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)


def receive() -> bytes:
    """Return what the lab has sent; empty if it has ended, even if it has not read all reports."""
    try:
        return os.read(0, 65536)
    except ConnectionResetError:
        return b""


def report(**message: Any) -> None:
    """Report to the lab. If it has ended, standard input is closed, which :meth:`Supervisor.watch` handles."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def supervise(supervisor_class: type[Supervisor]) -> None:
    """Read what to start from standard input, and supervise it with a ``supervisor_class``."""
    for number in _HANDLED[:-1]:
        signal.signal(number, signal.SIG_IGN)
    wakeup_fd, signal_fd = os.pipe()
    os.set_blocking(signal_fd, False)
    signal.set_wakeup_fd(signal_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    received = b""
    while received.count(b"\n") < _HEADER_LINES:
        more = receive()
        if not more:
            break
        received += more
    first, *rest = received.split(b"\n", _HEADER_LINES)
    if not rest:
        return
    folder = json.loads(first)["folder"]
    if len(rest) == _HEADER_LINES:
        supervisor_class(json.loads(rest[0]), folder).run(wakeup_fd, rest[1])
    else:
        remove_tree(folder)


if __name__ == "__main__":
    supervise(Supervisor)
