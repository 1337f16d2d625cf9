"""Watch what requests start: threads, work for pools of threads, and processes.

A context variable holds the current request, and asyncio copies it to tasks. It isn't copied to a new thread
(up to Python 3.13), nor to the thread of a pool, which works for many requests. So when a thread is started, or
work is submitted to a pool, the request is stored with the thread or the work, and it is set when that begins
to run.
"""

import _thread
import functools
import os
import threading
from typing import Any, Callable, Optional, Tuple

from .import_hooks import ImportHooks
from .recorder import Recorder, Work

_WORK = "_djconn_work"


def watch(recorder: Recorder, imports: ImportHooks) -> None:
    """Watch threads now, and pools and processes when the modules that start them are imported."""
    _watch_threads(recorder)
    _watch_raw_threads(recorder)
    imports.after("concurrent.futures.thread", functools.partial(_watch_executors, recorder))
    imports.after("multiprocessing.pool", functools.partial(_watch_thread_pools, recorder))
    imports.after("gevent.threadpool", functools.partial(_watch_gevent_pools, recorder))
    imports.after("subprocess", functools.partial(_watch_popen, recorder))
    imports.after("multiprocessing.process", functools.partial(_watch_multiprocessing, recorder))
    _watch_spawn(recorder)


def _current_work(recorder: Recorder) -> Optional[Work]:
    """Return the :class:`Work` for the current request; ``None`` outside of requests."""
    request_state = recorder.request_state
    return None if request_state is None else request_state.work()


def _watch_threads(recorder: Recorder) -> None:
    original_start = threading.Thread.start

    @functools.wraps(original_start)
    def start(self: threading.Thread) -> None:
        work = _current_work(recorder)
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
    # Subclasses override ``run``; every thread calls this method.
    name = "_bootstrap_inner"
    original = getattr(threading.Thread, name)

    @functools.wraps(original)
    def bootstrap(self: threading.Thread) -> None:
        work = self.__dict__.pop(_WORK, None)
        if work is not None:
            recorder.current.set(work)
            context = getattr(self, "_context", None)  # the context in which Python 3.14 and later call ``run``
            if context is not None:
                context.run(recorder.current.set, work)
        recorder.thread_started(self.name, work)
        original(self)

    setattr(threading.Thread, name, bootstrap)


class _StartNewThread:
    """Takes the place of ``_thread.start_new_thread``.

    Like the original, and unlike a function, it doesn't become a method if it is an attribute of a class.
    """

    def __init__(self, recorder: Recorder, original: Callable[..., int]) -> None:
        functools.update_wrapper(self, original)
        self._recorder = recorder
        self._original = original

    def __call__(self, *args: Any) -> int:
        if not args or not callable(args[0]):
            return self._original(*args)  # which raises TypeError
        work = _current_work(self._recorder)
        return self._original(_RawThread(self._recorder, args[0], work), *args[1:])


class _RawThread:
    """The function of a thread that was started without ``threading``."""

    def __init__(self, recorder: Recorder, function: Any, work: Optional[Work]) -> None:
        self._recorder = recorder
        self._function = function
        self._work = work

    def __repr__(self) -> str:
        return repr(self._function)  # Python prints this if the function raises an exception

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
    """Run each work item of a thread pool executor for the request that submitted it."""
    item = module._WorkItem  # noqa: SLF001 - each ``submit`` makes one, even that of a subclass
    original_init, original_run = item.__init__, item.run
    setattr(item, _WORK, None)
    current = recorder.current

    @functools.wraps(original_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original_init(self, *args, **kwargs)
        # Some servers submit each request to a pool, so the case without a current request must be fast.
        if current.get() is not None or recorder.greenlet is not None:
            self._djconn_work = _current_work(recorder)

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


class _ForRequest:
    """A function for a thread of a pool, and the request that it is called for."""

    def __init__(self, recorder: Recorder, function: Any) -> None:
        self._current = recorder.current
        self._function = function
        self._work = _current_work(recorder)

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
    """Do the same for ``multiprocessing.pool.ThreadPool``, and nothing for pools of processes."""
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        original = module.Pool.__dict__.get(name)
        if original is not None:
            setattr(module.Pool, name, _passing_request(recorder, original, module.ThreadPool))


def _watch_gevent_pools(recorder: Recorder, module: Any) -> None:
    module.ThreadPool.spawn = _passing_request(recorder, module.ThreadPool.spawn, module.ThreadPool)


def _passing_request(recorder: Recorder, original: Callable[..., Any], kind: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, _ForRequest(recorder, func) if isinstance(self, kind) else func, *args, **kwargs)

    return method


# Processes. A forked child inherits the current request. For others, the parent emits their pid.


def _emit_child(recorder: Recorder, pid: Optional[int]) -> None:
    if pid and recorder.request_state is not None:
        recorder.emit("process.child", pid=pid)


def _watch_popen(recorder: Recorder, module: Any) -> None:
    original = module.Popen.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _emit_child(recorder, self.pid)

    module.Popen.__init__ = init


def _watch_multiprocessing(recorder: Recorder, module: Any) -> None:
    original = module.BaseProcess.start

    @functools.wraps(original)
    def start(self: Any) -> None:
        original(self)
        _emit_child(recorder, self.pid)

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
        _emit_child(recorder, pid)
        return pid

    return spawn
