"""Detect effects of a project's set-up that a fork would not have; :mod:`preload` uses it.

It imports the standard library, and modules of Django that need no settings.
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

TEMPLATE_FOLDER = "/proc/djconn"
"""Stands for the run's folder. No such folder can be created."""

PER_RUN_SETTING = "NAME"
"""The one setting of a database that differs between runs."""

PER_PROCESS_CALLS = (
    *((_thread, name) for name in ("start_new_thread", "start_joinable_thread")),
    *((threading, name) for name in ("_start_new_thread", "_start_joinable_thread", "get_native_id")),
    *((os, name) for name in ("getpid", "getppid")),
    *((owner, name) for owner, name in ((os, "urandom"), (random, "_urandom"))),
    *((time, name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter")),
)
"""Functions that start threads, for which some versions of Python have no audit event, and functions whose
results differ between processes: ids, random numbers, the time."""

ENVIRON_READS = ((type(os.environ), "__getitem__"),)
"""The method that every read of a variable calls."""

_WRAPPED_BY_PROBE = (
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
"""Classes whose methods the probe wraps. It would wrap a project's own wrappers in another order."""

_EFFECTS = (
    *("fcntl.flock", "fcntl.lockf", "os.", "pty.", "shutil.", "signal.", "socket.connect"),
    *("socket.getaddrinfo", "socket.gethostby", "socket.send", "sqlite3.connect", "subprocess."),
    *("syslog.", "tempfile."),
)
_HARMLESS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.putenv", "os.unsetenv")
"""Prefixes of the names of audit events (https://docs.python.org/3/library/audit_events.html)."""


class SideEffectAudit:
    """Records effects of this process outside its own memory, from :meth:`begin` to :meth:`end`."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self._is_active = False
        self._ignored_path: str | None = None

    def begin(self, ignored_path: str) -> None:
        """Begin to record; writes to the file ``ignored_path`` are not recorded."""
        self._ignored_path = ignored_path
        self._is_active = True
        sys.addaudithook(self._record_event)

    def record_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a wrapper of ``original``, one of :data:`PER_PROCESS_CALLS`, that records the call."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self._is_active:  # a project may have kept a reference to the wrapper
                self.effects.append(original.__name__)
            return original(*args, **kwargs)

        return wrapper

    def record_read(self, original: Callable[..., str]) -> Callable[..., str]:
        """Return a wrapper of ``original``, which reads a variable, that records values that differ between
        runs."""

        def wrapper(*args: Any) -> str:
            value = original(*args)
            if self._is_active and TEMPLATE_FOLDER in value:
                self.effects.append(f"{args[-1]} was read")
            return value

        return wrapper

    def end(self) -> None:
        """Stop recording. The audit hook itself cannot be removed."""
        self._is_active = False

    def _record_event(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._is_active:
            return
        if event == "open":
            path, _, flags = args
            is_write = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if is_write and path not in (os.devnull, self._ignored_path):
                self.effects.append(f"{event} {path}")
        elif event.startswith(_EFFECTS) and not event.startswith(_HARMLESS):
            self.effects.append(event)


def _tracked(name: str) -> Callable[..., Any]:
    """Return the method ``name`` of ``dict`` for :class:`TrackedSettings`."""
    original = getattr(dict, name)
    by_key = ("__getitem__", "get", "pop")

    def method(self: "TrackedSettings", *args: Any) -> Any:
        is_harmless = (
            args[:1] == ({},) if name == "__eq__" else name in by_key and args[:1] != (PER_RUN_SETTING,)
        )
        self.was_read = self.was_read or not is_harmless
        return original(self, *args)

    return method


class TrackedSettings(dict):  # type: ignore[type-arg] # its methods accept any dictionary
    """An entry of DATABASES that records any access to its per-run NAME, and copies of the entry."""

    was_read = False

    __getitem__, get, pop = _tracked("__getitem__"), _tracked("get"), _tracked("pop")
    __iter__, items, values = _tracked("__iter__"), _tracked("items"), _tracked("values")
    __repr__, __eq__, copy = _tracked("__repr__"), _tracked("__eq__"), _tracked("copy")
    __or__, __ror__, popitem = _tracked("__or__"), _tracked("__ror__"), _tracked("popitem")
    __hash__ = None


@contextlib.contextmanager
def patch_all(names: Iterable[tuple[Any, str]], change: Callable[[Any], Any]) -> Iterator[None]:
    """Temporarily replace attributes by ``change(original)``, as ``mock.patch`` does."""
    originals = [(owner, name, getattr(owner, name)) for owner, name in names if hasattr(owner, name)]
    for owner, name, original in originals:
        setattr(owner, name, change(original))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def process_state() -> list[Any]:
    """Return the state of the process that the set-up must not change."""
    classes = [getattr(importlib.import_module(module), name, None) for module, name in _WRAPPED_BY_PROBE]
    return [
        [os.readlink(f"/proc/self/fd/{fd}") for fd in _open_fds()],
        [signal.getsignal(number) for number in signal.valid_signals()],
        [(name, id(value)) for owner in classes for name, value in vars(owner).items() if callable(value)],
        sys.meta_path[:1],
        threading.active_count(),
        len(os.listdir("/proc/self/task")),
        os.getcwd(),
        random.getstate(),
    ]


def _open_fds() -> Iterator[str]:
    """Yield the open descriptors, except the one that lists them."""
    for fd in sorted(os.listdir("/proc/self/fd")):
        if os.path.exists(f"/proc/self/fd/{fd}") or not fd.isdigit():
            yield fd


@contextlib.contextmanager
def capture_output() -> Iterator[Callable[[], int]]:
    """Discard what is written to the standard streams; yield a function that then returns its size in bytes."""
    captured = os.memfd_create("captured")
    originals = [os.dup(1), os.dup(2)]
    size = 0

    def output_size() -> int:
        return size

    try:
        os.dup2(captured, 1)
        os.dup2(captured, 2)
        yield output_size
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        size = os.fstat(captured).st_size
        for number, fd in zip((1, 2), originals, strict=True):
            os.dup2(fd, number)
            os.close(fd)
        os.close(captured)
