"""What requests start: threads, work that is handed to pools of threads, and processes.

A context variable says which request runs, and asyncio hands it on to tasks. A new thread has an empty
context up to Python 3.13, and the thread of a pool does the work of many requests: here the request is kept
with the thread or the piece of work when it's started or handed over, and set when it begins to run.
"""

import _thread
import functools
import os
import threading
from typing import Any, Callable, Optional, Tuple

from .import_hooks import Imports
from .recorder import Recorder, Work

_WORK = "_djconn_work"


def watch(recorder: Recorder, imports: Imports) -> None:
    """Watch threads at once, pools and processes when the modules that start them are imported."""
    _watch_threads(recorder)
    _watch_raw_threads(recorder)
    imports.after("concurrent.futures.thread", functools.partial(_watch_executors, recorder))
    imports.after("multiprocessing.pool", functools.partial(_watch_thread_pools, recorder))
    imports.after("gevent.threadpool", functools.partial(_watch_gevent_pools, recorder))
    imports.after("subprocess", functools.partial(_watch_popen, recorder))
    imports.after("multiprocessing.process", functools.partial(_watch_multiprocessing, recorder))
    _watch_spawn(recorder)


def _work_here(recorder: Recorder) -> Optional[Work]:
    """Return the work for the request that runs here, or for which this runs; ``None`` outside of any."""
    handling = recorder.handling
    return None if handling is None else handling.work()


def _watch_threads(recorder: Recorder) -> None:
    original_start = threading.Thread.start

    @functools.wraps(original_start)
    def start(self: threading.Thread) -> None:
        work = _work_here(recorder)
        if work is None:
            original_start(self)
            return
        self.__dict__[_WORK] = work
        try:
            original_start(self)
        except BaseException:
            self.__dict__.pop(_WORK, None)
            raise

    threading.Thread.start = start  # type: ignore[method-assign]
    # ``run`` is overridden by subclasses; this is what every started Thread comes through.
    name = "_bootstrap_inner"
    original = getattr(threading.Thread, name)

    @functools.wraps(original)
    def bootstrap(self: threading.Thread) -> None:
        work = self.__dict__.pop(_WORK, None)
        if work is not None:
            recorder.current.set(work)
            context = getattr(self, "_context", None)  # in which Python 3.14 and later call ``run``
            if context is not None:
                context.run(recorder.current.set, work)
        recorder.thread_started(self.name, work)
        original(self)

    setattr(threading.Thread, name, bootstrap)


class _StartNewThread:
    """``_thread.start_new_thread``. Like the original, and unlike a function, it's no method of a class."""

    def __init__(self, recorder: Recorder, original: Callable[..., int]) -> None:
        functools.update_wrapper(self, original)
        self._recorder = recorder
        self._original = original

    def __call__(self, *args: Any) -> int:
        if not args or not callable(args[0]):
            return self._original(*args)  # which says what is wrong
        work = _work_here(self._recorder)
        return self._original(_RawThread(self._recorder, args[0], work), *args[1:])


class _RawThread:
    """The function of a thread that ``threading`` hasn't started."""

    def __init__(self, recorder: Recorder, function: Any, work: Optional[Work]) -> None:
        self._recorder = recorder
        self._function = function
        self._work = work

    def __repr__(self) -> str:
        return repr(self._function)  # by which Python names it if it raises an exception

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._work is not None:
            self._recorder.current.set(self._work)
        self._recorder.thread_started("thread", self._work)
        return self._function(*args, **kwargs)


def _watch_raw_threads(recorder: Recorder) -> None:
    original = _thread.start_new_thread
    started: Any = _StartNewThread(recorder, original)
    for name in ("start_new_thread", "start_new"):
        if getattr(_thread, name, None) is original or name == "start_new_thread":
            setattr(_thread, name, started)


def _watch_executors(recorder: Recorder, module: Any) -> None:
    """Let each piece of work of an executor's threads run for the request that submitted it."""
    item = module._WorkItem  # noqa: SLF001 - every ``submit`` makes one, also that of a subclass
    original_init, original_run = item.__init__, item.run
    setattr(item, _WORK, None)
    current = recorder.current

    @functools.wraps(original_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original_init(self, *args, **kwargs)
        # Some servers hand each request to a pool: what is outside of any costs as little as can be.
        if current.get() is not None or recorder.greenlet is not None:
            self._djconn_work = _work_here(recorder)

    @functools.wraps(original_run)
    def run(self: Any, *args: Any) -> None:
        work = self._djconn_work
        before = current.get()
        if before is work:
            original_run(self, *args)
            return
        current.set(work)
        try:
            original_run(self, *args)
        finally:
            current.set(before)

    item.__init__ = init
    item.run = run


class _Carried:
    """A function for a thread of a pool, and the work that it's called for."""

    def __init__(self, recorder: Recorder, function: Any) -> None:
        self._current = recorder.current
        self._function = function
        self._work = _work_here(recorder)

    def __repr__(self) -> str:
        return repr(self._function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before = self._current.get()
        self._current.set(self._work)
        try:
            return self._function(*args, **kwargs)
        finally:
            self._current.set(before)


def _watch_thread_pools(recorder: Recorder, module: Any) -> None:
    """Do the same for ``ThreadPool`` of multiprocessing; functions for a pool of processes stay as they are."""
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        original = module.Pool.__dict__.get(name)
        if original is not None:
            setattr(module.Pool, name, _carrying(recorder, original, module.ThreadPool))


def _watch_gevent_pools(recorder: Recorder, module: Any) -> None:
    module.ThreadPool.spawn = _carrying(recorder, module.ThreadPool.spawn, module.ThreadPool)


def _carrying(recorder: Recorder, original: Callable[..., Any], kind: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, _Carried(recorder, func) if isinstance(self, kind) else func, *args, **kwargs)

    return method


# Processes. A forked child knows for whom it runs; others are told apart by their numbers.


def _tell_child(recorder: Recorder, pid: Optional[int]) -> None:
    if pid and recorder.handling is not None:
        recorder.emit("process.child", pid=pid)


def _watch_popen(recorder: Recorder, module: Any) -> None:
    original = module.Popen.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _tell_child(recorder, self.pid)

    module.Popen.__init__ = init


def _watch_multiprocessing(recorder: Recorder, module: Any) -> None:
    original = module.BaseProcess.start

    @functools.wraps(original)
    def start(self: Any) -> None:
        original(self)
        _tell_child(recorder, self.pid)

    module.BaseProcess.start = start


def _watch_spawn(recorder: Recorder) -> None:
    names: Tuple[str, ...] = ("posix_spawn", "posix_spawnp")  # since Python 3.8
    for name in names:
        original = getattr(os, name, None)
        if original is not None:
            setattr(os, name, _spawning(recorder, original))


def _spawning(recorder: Recorder, original: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(original)
    def spawn(*args: Any, **kwargs: Any) -> int:
        pid = original(*args, **kwargs)
        _tell_child(recorder, pid)
        return pid

    return spawn
