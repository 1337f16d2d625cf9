"""Events with their time, thread and request; serial numbers; the request that is being handled."""

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
except ImportError:  # Python 3.6: no ASGI there that would need more than threads
    ContextVar = None  # type: ignore[assignment, misc]

BEGIN, USE, END, VIEW, VIEW_END = range(1, 1 + len(KINDS))

_NOBODY = OWNER.pack(0, 0)
_NO_RECORD = (AttributeError, TypeError, ValueError, OSError, struct.error)
"""Of a thread that is new, without memory or with none left, without a log, of numbers that are too large."""

_pack = RECORD.pack
_as_json = json.JSONEncoder(default=str).encode  # ``default``, because a setting can be any object


def _fields(data: Dict[str, Any]) -> bytes:
    """Return ``data`` as the fields of an event that follow others."""
    # By hand, because most of what an event costs would be the making of JSON.
    more = ""
    for name, value in data.items():
        more += f',"{name}":{value if type(value) is int else _as_json(value)}'
    return more.encode()


class Handling:
    """A request that is being handled: its number, and how far it has come.

    ``phase`` is ``start`` until middleware and view are called, then ``view``, and ``end`` from the
    moment the response is closed. ``over`` tells that the end of the request was told. A request that
    ``ends_with_response`` ends when that is closed, others when their coroutine does. If it
    ``ended_elsewhere``, in another context than it has begun in, the context of its beginning still has it
    when it is over.
    """

    number = 0
    meets = False
    ends_with_response = True
    phase = "start"
    over = False
    ended_elsewhere = False
    _work: Optional["Work"] = None

    def work(self) -> "Work":
        """Return what stands for the request in what it starts: threads, tasks, greenlets, processes."""
        if self._work is None:
            self._work = Work(self.number)
        return self._work


class Work(Handling):
    """Work for the request ``number`` that it has started, and that may outlive it."""

    ends_with_response = False
    phase = "work"

    def __init__(self, number: int) -> None:
        self.number = number

    def work(self) -> "Work":
        """Return this: what work starts is for the same request."""
        return self


class ThreadLifetime:
    """Lives in a thread's own storage and dies with it, however the thread was started and ended.

    That of a thread which a forked child has inherited, from the process ``pid``, is nobody's there.
    """

    __slots__ = ("pid", "recorder", "serial")

    def __init__(self, recorder: "Recorder", serial: int) -> None:
        self.pid = os.getpid()
        self.recorder = recorder
        self.serial = serial

    def __del__(self) -> None:
        # A process that ends clears the storage of threads that go on to its very end: that is no end
        # of theirs.
        if not sys.is_finalizing() and os.getpid() == self.pid:
            self.recorder.send("thread.end", self.serial)


class Recorder:
    """Makes events of what the watchers see and sends them.

    ``collect``, if it is set, is called with the number of each request after its end was sent; ``after_fork``
    is called in forked children.

    ``current`` is the variable of the request that a thread, or task, is handling, or for which it works. A
    request that is over is there in contexts that were copied from it, of tasks that it has started:
    ``handling`` knows that. What runs for each request and each query asks ``current`` without that detour.
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
    def handling(self) -> Optional[Handling]:
        """The request that this thread, or task, is handling, or the work that it does for one."""
        if self.greenlet is not None:
            self.greenlet()  # sees for whom a greenlet works that is new
        handling: Optional[Handling] = self.current.get()
        if handling is None or not handling.over:
            return handling
        return None if handling.ended_elsewhere else handling.work()

    def tell_greenlets_apart(self, greenlets: Any, current: Callable[[], Any]) -> None:
        """Have all events tell which greenlet they are of, by what a call of ``greenlets`` returns.

        ``current`` returns the greenlet that is running.
        """
        self.greenlet = greenlets
        if ContextVar is None:
            self.current.tell_greenlets_apart(current)
        self.channel.without_records()

    def emit(self, kind: str, **data: Any) -> None:
        """Send an event of this thread and of the request it is handling, or works for."""
        handling = self.handling
        request = None if handling is None else handling.number
        if self.greenlet is not None:
            self._add_greenlet(data)
        self._write(kind, self.thread(), request, data)

    def send(self, kind: str, thread: int = 0, work: Optional[Work] = None, **data: Any) -> None:
        """Send an event of the thread with the serial ``thread``, 0 for none, and of the request of ``work``.

        It touches no storage of this thread's, which is being cleared when a thread ends, and when the
        garbage collector runs anything may be under way.
        """
        if not self.channel.own[0]:
            self._forked()
        self._write(kind, thread, None if work is None else work.number, data)

    def tell(self, kind: int, request: int, owner: bytes = _NOBODY) -> None:
        """Send an event that most requests have, of this thread and of the request with that number.

        It does what :meth:`emit` does in less time: most of the probe's cost is made of this, where each call
        of another function can be measured. ``kind`` is a place in ``channel.KINDS``, from 1 on.
        """
        channel, serial, now = self.channel, 0, 0.0
        try:
            if not channel.own[0]:
                self._forked()
            mark, write = self._local.marks[kind], channel.records.write
            # Before anything that may let another thread do, and tell, what comes after.
            serial, now = next(channel.clock)
            ioctl(channel.log, FIONREAD, ANSWER)  # as ``logsize.left``
            write(_pack(now, owner, request, ANSWER, serial, mark))
        except _NO_RECORD:
            wrapper, connection = OWNER.unpack(owner)
            data = {"w": wrapper, "c": connection} if wrapper else {}
            thread = self.thread()
            if self.greenlet is not None:
                self._add_greenlet(data)
            self._write(KINDS[kind - 1], thread, request, data, (serial, now) if serial else None)
            return
        # Nobody waits for the others of these, and would only take time from the request.
        if kind == END and channel.waits[0]:  # type: ignore[index]  # there is no record without it
            channel.ring()

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
        """Tell that this thread was started by Python, for ``work`` where a request has started it."""
        self.thread(name, work)
        if self.greenlet is not None:
            self.greenlet()

    def thread(self, name: Optional[str] = None, work: Optional[Work] = None) -> int:
        """Return the serial of this thread, which is new where the thread was never seen before."""
        if not self.channel.own[0]:
            self._forked()
        try:
            serial: int = self._local.serial
        except AttributeError:
            serial = next(self._threads)
            self._local.serial = serial
            # Of records; a thread whose serial is too large for them has lines.
            marks = [THREAD.pack(serial, kind) for kind in range(1 + len(KINDS))] if serial < 1 << 16 else None
            self._local.marks = marks
            self._local.presence = ThreadLifetime(self, serial)
            self._thread_started(serial, name, work)
        return serial

    def meet(self, place: str) -> None:
        """Wait at ``place`` for the other requests of the meeting, where this request has one."""
        handling = self.handling
        if handling is not None and handling.meets:
            self.channel.meet({"k": "meet", "r": handling.number, "at": place})

    async def meet_in_loop(self, handling: Handling, place: str) -> None:
        """Wait as :meth:`meet` does, and let other tasks of the event loop go on."""
        await self.channel.meet_in_loop({"k": "meet", "r": handling.number, "at": place})

    def end(self, handling: Handling) -> None:
        """Tell the end of a request, once."""
        if not handling.over:
            handling.over = True
            self.tell(END, handling.number)
            if self.collect is not None:
                self.collect(handling.number)

    def _add_greenlet(self, data: Dict[str, Any]) -> None:
        assert self.greenlet is not None, "asked by those who know"
        greenlet = self.greenlet()
        if greenlet:
            data["g"] = greenlet

    def _thread_started(self, serial: int, name: Optional[str], work: Optional[Work]) -> None:
        main = threading.main_thread()
        ident = threading.get_ident()
        more: Dict[str, Any] = {}
        if name is None:
            # Not ``current_thread``: for a thread that it does not know it makes an object that stays.
            name = main.name if ident == main.ident else "foreign"
            if ident != main.ident:
                more["foreign"] = True
        self.send(
            "thread.start",
            serial,
            work,
            name=name,
            ident=ident,
            native=_native_id(),
            main=ident == main.ident,
            **more,
        )

    def _process_started(self, work: Optional[Work]) -> None:
        self.send("process.start", 0, work, pid=os.getpid(), ppid=os.getppid(), python=sys.version.split()[0])

    def _forked_by_python(self) -> None:
        """Begin anew in a child, which works for the request that has forked it and ends no request."""
        handling: Optional[Handling] = self.current.get()
        work = None
        if handling is not None and not handling.ended_elsewhere:
            work = handling.work()
            handling.over = handling is not work
            self.current.set(work)
        self._forked(work)

    def _forked(self, work: Optional[Work] = None) -> None:
        """Begin anew in a child.

        Called by Python in the child, or before its first event, in any thread, where a server in C forks.
        """
        if self.channel.pid == os.getpid():
            return
        with self._forking:
            if self.channel.pid == os.getpid():
                return
            self.channel.connect()
            # Serials go on from those of the parent, so that none names two things in this process.
            self._local = threading.local()
            for call in self.after_fork:
                call()
        self._process_started(work)
        self.thread()


class _ThreadVar(threading.local):
    """What ``ContextVar`` is to Python 3.7 and later. Each greenlet has a value of its own there, and here."""

    value: Any = None
    greenlet: Any = None
    values: ClassVar[Any] = weakref.WeakKeyDictionary()

    @classmethod
    def tell_greenlets_apart(cls, current: Callable[[], Any]) -> None:
        """Have a value for each greenlet; ``current`` returns the one that is running."""
        cls.greenlet = staticmethod(current)

    def get(self) -> Any:
        return self.value if self.greenlet is None else self.values.get(self.greenlet())

    def set(self, value: Any) -> None:
        if self.greenlet is None:
            self.value = value
        else:
            self.values[self.greenlet()] = value


def _native_id() -> int:
    """Return the kernel's number of this thread; 0 where that is not known."""
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    try:
        return int(os.path.basename(os.readlink("/proc/thread-self")))  # Python 3.7 and earlier
    except OSError:
        return 0


def _after_fork(call: Any) -> None:
    """Have ``call`` called in forked children."""
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
