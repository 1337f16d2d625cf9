"""What a process does that a fork of it would not have done: how :mod:`readied` notices.

Standard library, and what of Django asks for no settings.
"""

import _thread
import contextlib
import importlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PLACE = "/proc/djconn"
"""Stands for the run's folder, and is none: nobody can make one there."""

PER_RUN = "NAME"
"""The one setting of a database that no two runs have alike."""

STARTING = (
    *((_thread, name) for name in ("start_new_thread", "start_joinable_thread")),
    *((threading, name) for name in ("_start_new_thread", "_start_joinable_thread", "get_native_id")),
    *((os, name) for name in ("getpid", "getppid")),
    *((owner, name) for owner, name in ((os, "urandom"), (random, "_urandom"))),
    *((time, name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter")),
)
"""What starts every thread, of which not every Python tells, and what no two processes have alike: their
numbers, random numbers, the time."""

ENVIRON = ((type(os.environ), "__getitem__"),)
"""What every way to read a variable leads to."""

_WATCHED = (
    ("django.core.handlers.base", "BaseHandler"),
    ("django.core.handlers.wsgi", "WSGIHandler"),
    ("django.contrib.staticfiles.handlers", "StaticFilesHandlerMixin"),
    ("django.db.backends.base.base", "BaseDatabaseWrapper"),
    ("django.db.backends.sqlite3.base", "DatabaseWrapper"),
    ("django.http.response", "HttpResponseBase"),
    ("django.utils.autoreload", "StatReloader"),
    ("socket", "socket"),
    ("socketserver", "BaseServer"),
    ("socketserver", "ThreadingMixIn"),
    ("threading", "Thread"),
)
"""The classes whose methods the probe wraps: what a project has put there would come to lie beneath."""

_DEEDS = (
    *("fcntl.flock", "fcntl.lockf", "os.", "pty.", "shutil.", "signal.", "socket.connect"),
    *("socket.getaddrinfo", "socket.gethostby", "socket.send", "sqlite3.connect", "subprocess."),
    *("syslog.", "tempfile."),
)
_HARMLESS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.putenv", "os.unsetenv")
"""How the names of audit events begin (https://docs.python.org/3/library/audit_events.html)."""


class SideEffectAudit:
    """Notes what the process does that reaches beyond its own memory, from ``begin`` to ``end``."""

    def __init__(self) -> None:
        self.deeds: list[str] = []
        self._on = False
        self._own: str | None = None

    def begin(self, own: str) -> None:
        """Begin; what is written to the file ``own`` does not count."""
        self._own = own
        self._on = True
        sys.addaudithook(self._hear)

    def threads(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``original``, one of :data:`STARTING`, noting that it is called."""

        def start(*args: Any, **kwargs: Any) -> Any:
            if self._on:  # a project may have kept this
                self.deeds.append(original.__name__)
            return original(*args, **kwargs)

        return start

    def variables(self, original: Callable[..., str]) -> Callable[..., str]:
        """Return ``original``, which reads a variable, noting those that no two runs have alike."""

        def read(*args: Any) -> str:
            value = original(*args)
            if self._on and PLACE in value:
                self.deeds.append(f"{args[-1]} was read")
            return value

        return read

    def end(self) -> None:
        """Hear nothing any more; a hook cannot be taken away."""
        self._on = False

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path, _, flags = args
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and path not in (os.devnull, self._own):
                self.deeds.append(f"{event} {path}")
        elif event.startswith(_DEEDS) and not event.startswith(_HARMLESS):
            self.deeds.append(event)


def _noticing(name: str) -> Callable[..., Any]:
    """Return the method ``name`` of dictionaries, for :class:`PerRun`."""
    original = getattr(dict, name)
    by_key = ("__getitem__", "get", "pop")

    def method(self: "TrackedSettings", *args: Any) -> Any:
        harmless = args[:1] == ({},) if name == "__eq__" else name in by_key and args[:1] != (PER_RUN,)
        self.looked_at = self.looked_at or not harmless
        return original(self, *args)

    return method


class TrackedSettings(dict):  # type: ignore[type-arg] # its methods are of any dictionary
    """The settings of one database, which notice that what is its run's own is looked at, or copied."""

    looked_at = False

    __getitem__, get, pop = _noticing("__getitem__"), _noticing("get"), _noticing("pop")
    __iter__, items, values = _noticing("__iter__"), _noticing("items"), _noticing("values")
    __repr__, __eq__, copy = _noticing("__repr__"), _noticing("__eq__"), _noticing("copy")
    __or__, __ror__, popitem = _noticing("__or__"), _noticing("__ror__"), _noticing("popitem")
    __hash__ = None


@contextlib.contextmanager
def replaced(names: Iterable[tuple[Any, str]], change: Callable[[Any], Any]) -> Iterator[None]:
    """Have what ``change`` makes of them in the place of some attributes."""
    originals = [(owner, name, getattr(owner, name)) for owner, name in names if hasattr(owner, name)]
    for owner, name, original in originals:
        setattr(owner, name, change(original))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def state() -> list[Any]:
    """Return what setting up must leave as it is."""
    classes = [getattr(importlib.import_module(module), name, None) for module, name in _WATCHED]
    return [
        [os.readlink(f"/proc/self/fd/{fd}") for fd in _descriptors()],
        [signal.getsignal(number) for number in signal.valid_signals()],
        [(name, id(value)) for each in classes for name, value in vars(each).items() if callable(value)],
        sys.meta_path[:1],
        threading.active_count(),
        len(os.listdir("/proc/self/task")),
        os.getcwd(),
        random.getstate(),
    ]


def _descriptors() -> Iterator[str]:
    """Yield the descriptors that are open, but for the one that lists them."""
    for fd in sorted(os.listdir("/proc/self/fd")):
        if os.path.exists(f"/proc/self/fd/{fd}") or not fd.isdigit():
            yield fd


@contextlib.contextmanager
def printing() -> Iterator[Callable[[], int]]:
    """Take what goes to the standard streams; yield what tells how many bytes that was."""
    taken = os.memfd_create("printed")
    kept = [os.dup(1), os.dup(2)]
    size = 0

    def printed() -> int:
        return size

    try:
        os.dup2(taken, 1)
        os.dup2(taken, 2)
        yield printed
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        size = os.fstat(taken).st_size
        for number, fd in zip((1, 2), kept, strict=True):
            os.dup2(fd, number)
            os.close(fd)
        os.close(taken)
