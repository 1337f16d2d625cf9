"""Make events: with their thread and request, and serial numbers for threads, wrappers and connections."""

import itertools
import json
import os
import struct
import sys
import threading
import weakref
from typing import Any, Callable, ClassVar, Dict, List, Optional, Tuple

from .channel import KINDS, OWNER, RECORD, THREAD, Channel
from .log_position import ANSWER, FIONREAD, ioctl

try:
    from contextvars import ContextVar
except ImportError:  # Python 3.6, where no Django has ASGI: threads suffice
    ContextVar = None  # type: ignore[assignment, misc]

BEGIN, USE, END, VIEW, VIEW_END = range(1, 1 + len(KINDS))

_NO_CONNECTION = OWNER.pack(0, 0)
_NO_RECORD = (AttributeError, TypeError, ValueError, OSError, struct.error)
"""No record can be written: the thread is new, there is no memory or log, or a number is too large."""

_pack = RECORD.pack
_as_json = json.JSONEncoder(default=str).encode  # ``default`` because a setting can be any object


def _fields(data: Dict[str, Any]) -> bytes:
    """Return ``data`` as fields of a JSON object, each with a comma before it."""
    # By hand: encoding with ``json`` would take most of the time of an event.
    more = ""
    for name, value in data.items():
        more += f',"{name}":{value if type(value) is int else _as_json(value)}'
    return more.encode()


class RequestState:
    """A request that is being handled: its number, and what has happened so far.

    ``phase`` is ``start`` until middleware and view are called, then ``view``, and ``end`` from the moment when
    the response is closed. ``ended`` means that the end of the request was emitted. A request that
    ``ends_with_response`` ends when its response is closed, others when the coroutine of their handler ends. A
    request that ``ended_in_other_context`` began in a context which still has it as its current request.
    """

    number = 0
    waits_at_barrier = False
    ends_with_response = True
    phase = "start"
    ended = False
    ended_in_other_context = False
    _work: Optional["Work"] = None

    def work(self) -> "Work":
        """Return the state for what this request starts: threads, tasks, greenlets, processes."""
        if self._work is None:
            self._work = Work(self.number)
        return self._work


class Work(RequestState):
    """What the request ``number`` started, and what may outlive it."""

    ends_with_response = False
    phase = "work"

    def __init__(self, number: int) -> None:
        self.number = number

    def work(self) -> "Work":
        """Return this object: what work starts is for the same request."""
        return self


class ThreadLifetime:
    """Is stored in a ``threading.local``, so that it is freed when its thread ends, however that started.

    A forked child inherits the objects of its parent's threads, which do not exist there: those have
    another ``pid``.
    """

    __slots__ = ("pid", "recorder", "serial")

    def __init__(self, recorder: "Recorder", serial: int) -> None:
        self.pid = os.getpid()
        self.recorder = recorder
        self.serial = serial

    def __del__(self) -> None:
        # A process that ends frees the storage of threads that are still running: they have not ended.
        if not sys.is_finalizing() and os.getpid() == self.pid:
            self.recorder.send("thread.end", self.serial)


class Recorder:
    """Makes events of what the watchers see, and writes them to the channel.

    ``collect``, if it is set, is called with the number of each request after its end was emitted. The
    functions in ``after_fork`` are called in forked children.

    ``current`` is a context variable: the :class:`RequestState` that a thread or task is handling, or works
    for. It may be a request that has ended, in a context that was copied from that of the request, for a task
    that it started. :attr:`request_state` checks that. What runs for each request and each query reads
    ``current`` itself.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.wrappers = itertools.count(1)
        self.connections = itertools.count(1)
        self._threads = itertools.count(1)
        self._local = threading.local()
        self.greenlet: Any = None
        self.collect: Optional[Callable[[int], None]] = None
        self.after_fork: List[Callable[[], None]] = []
        self.current: Any = _ThreadVar() if ContextVar is None else ContextVar("djconn", default=None)
        self._forking = threading.Lock()
        _after_fork(self._forked_by_python)
        self._process_started(None)
        self.thread()

    @property
    def request_state(self) -> Optional[RequestState]:
        """The request that this thread or task is handling, or the :class:`Work` that it does for one."""
        if self.greenlet is not None:
            self.greenlet()  # sets ``current`` in a greenlet that is new
        request_state: Optional[RequestState] = self.current.get()
        if request_state is None or not request_state.ended:
            return request_state
        return None if request_state.ended_in_other_context else request_state.work()

    def use_greenlets(self, greenlets: Any, current: Callable[[], Any]) -> None:
        """Enter greenlets in all events. A call of ``greenlets`` returns the serial of the current greenlet.

        ``current`` returns that greenlet itself.
        """
        self.greenlet = greenlets
        if ContextVar is None:
            self.current.use_greenlets(current)
        self.channel.without_records()

    def emit(self, kind: str, **data: Any) -> None:
        """Write an event of this thread, and of the request that it is handling or works for."""
        request_state = self.request_state
        request = None if request_state is None else request_state.number
        if self.greenlet is not None:
            self._add_greenlet(data)
        self._write(kind, self.thread(), request, data)

    def send(self, kind: str, thread: int = 0, work: Optional[Work] = None, **data: Any) -> None:
        """Write an event of the thread with the serial ``thread``, 0 for none, and of the request of ``work``.

        Unlike :meth:`emit`, it can be called when a thread ends, and by the garbage collector: it does not use
        the storage of the current thread.
        """
        if not self.channel.not_forked[0]:
            self._forked()
        self._write(kind, thread, None if work is None else work.number, data)

    def emit_packed(self, kind: int, request: int, owner: bytes = _NO_CONNECTION) -> None:
        """Write an event that most requests have as a record: of this thread, and of the request with a number.

        It is :meth:`emit` in less time. Most of the probe's cost arises here, where each function call is
        measurable. ``kind`` is a position in ``channel.KINDS``, from 1 on. ``owner`` is packed as
        ``channel.OWNER``.
        """
        channel, serial, now = self.channel, 0, 0.0
        try:
            if not channel.not_forked[0]:
                self._forked()
            mark, write = self._local.marks[kind], channel.records.write
            # The time is first: in a system call, another thread may run, and emit a later event.
            serial, now = next(channel.clock)
            ioctl(channel.log, FIONREAD, ANSWER)  # ``log_position.bytes_left`` without the call
            write(_pack(now, owner, request, ANSWER, serial, mark))
        except _NO_RECORD:
            wrapper, connection = OWNER.unpack(owner)
            data = {"w": wrapper, "c": connection} if wrapper else {}
            thread = self.thread()
            if self.greenlet is not None:
                self._add_greenlet(data)
            self._write(KINDS[kind - 1], thread, request, data, (serial, now) if serial else None)
            return
        # The lab waits for no other event of these, and waking it up would take time from the request.
        if kind == END and channel.lab_waits[0]:  # type: ignore[index]  # set if there are records
            channel.wake_lab()

    def _write(
        self,
        kind: str,
        thread: int,
        request: Optional[int],
        data: Dict[str, Any],
        stamp: Optional[Tuple[int, float]] = None,
    ) -> None:
        more = b"" if request is None else b',"r":%d' % request
        fields = b'"k":"%b","th":%d%b%b}\n' % (kind.encode(), thread, more, _fields(data))
        self.channel.write(fields, stamp)

    def thread_started(self, name: str, work: Optional[Work]) -> None:
        """Emit that Python started this thread, for ``work`` if a request started it."""
        self.thread(name, work)
        if self.greenlet is not None:
            self.greenlet()

    def thread(self, name: Optional[str] = None, work: Optional[Work] = None) -> int:
        """Return the serial of this thread. If the thread is new, give it one and emit its start."""
        if not self.channel.not_forked[0]:
            self._forked()
        try:
            serial: int = self._local.serial
        except AttributeError:
            serial = next(self._threads)
            self._local.serial = serial
            # For records. A serial that is too large for them is written in lines.
            marks = [THREAD.pack(serial, kind) for kind in range(1 + len(KINDS))] if serial < 1 << 16 else None
            self._local.marks = marks
            self._local.lifetime = ThreadLifetime(self, serial)
            self._thread_started(serial, name, work)
        return serial

    def wait_at_barrier(self, place: str) -> None:
        """Wait at ``place`` for the other requests of the barrier, if this request has one."""
        request_state = self.request_state
        if request_state is not None and request_state.waits_at_barrier:
            self.channel.wait_at_barrier({"k": "meet", "r": request_state.number, "at": place})

    async def wait_at_barrier_in_loop(self, request_state: RequestState, place: str) -> None:
        """Wait as :meth:`meet` does, as a coroutine."""
        await self.channel.wait_at_barrier_in_loop({"k": "meet", "r": request_state.number, "at": place})

    def end(self, request_state: RequestState) -> None:
        """Emit the end of a request, once."""
        if not request_state.ended:
            request_state.ended = True
            self.emit_packed(END, request_state.number)
            if self.collect is not None:
                self.collect(request_state.number)

    def _add_greenlet(self, data: Dict[str, Any]) -> None:
        assert self.greenlet is not None, "the callers check that"
        greenlet = self.greenlet()
        if greenlet:
            data["g"] = greenlet

    def _thread_started(self, serial: int, name: Optional[str], work: Optional[Work]) -> None:
        main = threading.main_thread()
        ident = threading.get_ident()
        fields: Dict[str, Any] = {}
        if name is None:
            # Not ``current_thread``: it makes an object for unknown threads, and never frees it.
            name = main.name if ident == main.ident else "foreign"
            if ident != main.ident:
                fields["foreign"] = True
        self.send(
            "thread.start",
            serial,
            work,
            name=name,
            ident=ident,
            native=_native_id(),
            main=ident == main.ident,
            **fields,
        )

    def _process_started(self, work: Optional[Work]) -> None:
        self.send("process.start", 0, work, pid=os.getpid(), ppid=os.getppid(), python=sys.version.split()[0])

    def _forked_by_python(self) -> None:
        """Start afresh in a child that Python forked: it works for the request, and cannot end it."""
        request_state: Optional[RequestState] = self.current.get()
        work = None
        if request_state is not None and not request_state.ended_in_other_context:
            work = request_state.work()
            request_state.ended = request_state is not work
            self.current.set(work)
        self._forked(work)

    def _forked(self, work: Optional[Work] = None) -> None:
        """Start afresh in a child.

        Called by Python in the child; if a server in C forks, by the child's first event, in any thread.
        """
        if self.channel.pid == os.getpid():
            return
        with self._forking:
            if self.channel.pid == os.getpid():
                return
            self.channel.connect()
            # Serials go on from those of the parent: those of inherited objects stay unique in this process.
            self._local = threading.local()
            for call in self.after_fork:
                call()
        self._process_started(work)
        self.thread()


class _ThreadVar(threading.local):
    """Takes the place of ``ContextVar`` in Python 3.6. Each greenlet has its own value, as there."""

    value: Any = None
    greenlet: Any = None
    values: ClassVar[Any] = weakref.WeakKeyDictionary()

    @classmethod
    def use_greenlets(cls, current: Callable[[], Any]) -> None:
        """Keep a value for each greenlet; ``current`` returns the current one."""
        cls.greenlet = staticmethod(current)

    def get(self) -> Any:
        return self.value if self.greenlet is None else self.values.get(self.greenlet())

    def set(self, value: Any) -> None:
        if self.greenlet is None:
            self.value = value
        else:
            self.values[self.greenlet()] = value


def _native_id() -> int:
    """Return the kernel's identifier of this thread; 0 if that is unknown."""
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    try:
        return int(os.path.basename(os.readlink("/proc/thread-self")))  # Python 3.7 and earlier
    except OSError:
        return 0


def _after_fork(call: Any) -> None:
    """Call ``call`` in forked children from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
        return
    fork = os.fork  # Python 3.6

    def forking() -> int:
        pid = fork()
        if pid == 0:
            call()
        return pid

    os.fork = forking
