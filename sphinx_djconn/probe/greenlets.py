"""Greenlets: under gevent and eventlet they are what threads are elsewhere.

A patched ``threading.local`` has a value for each greenlet, and so Django a connection.
"""

import functools
import itertools
import threading
import weakref
from typing import Any, Callable, Dict, Optional, Tuple

from .import_hooks import Imports
from .recorder import Handling, Recorder


def watch(recorder: Recorder, imports: Imports) -> None:
    """Tell the greenlets of all events apart once the library is imported."""

    def imported(module: Any) -> None:
        recorder.tell_greenlets_apart(_Greenlets(recorder, module.getcurrent), module.getcurrent)

    imports.after("greenlet", imported)


class _Greenlets:
    """Gives serial numbers to greenlets; called, it returns that of the one which is running.

    It keeps none of them alive, and 0 is each thread's first greenlet, which is the thread itself. A greenlet
    that gevent has started works for the request that its starter was handling when this one was first seen.
    """

    def __init__(self, recorder: Recorder, current: Callable[[], Any]) -> None:
        self._recorder = recorder
        self._current = current
        self._serials = itertools.count(1)
        self._seen: Dict[int, _Seen] = {}

    def __call__(self) -> int:
        greenlet = self._current()
        if greenlet.parent is None:
            return 0
        seen = self._seen.get(id(greenlet))
        return self._first(greenlet).serial if seen is None else seen.serial

    def handles(self, handling: Handling) -> None:
        """Note that the greenlet that is running is about to handle a request."""
        greenlet = self._current()
        if greenlet.parent is not None:
            (self._seen.get(id(greenlet)) or self._first(greenlet)).handling = handling

    def _first(self, greenlet: Any) -> "_Seen":
        """Tell of a greenlet that is running, and was never seen before."""
        recorder = self._recorder
        handling = recorder.current.get()  # what a thread's start has put here, where greenlets are threads
        more: Dict[str, Any] = {}
        if handling is None:
            handling, more = self._starters(greenlet)
        work = None if handling is None else handling.work()
        serial = next(self._serials)
        gone = weakref.ref(greenlet, functools.partial(self._gone, id(greenlet), serial))
        seen = self._seen[id(greenlet)] = _Seen(serial, gone, work)
        if work is not None:
            recorder.current.set(work)
        # Patched, this is the greenlet's own.
        ident = threading.get_ident()
        recorder.send("greenlet.start", recorder.thread(), work, g=serial, ident=ident, **more)
        return seen

    def _starters(self, greenlet: Any) -> Tuple[Optional[Handling], Dict[str, Any]]:
        """Return the request that the starter of ``greenlet`` handled; ``foreign`` where nobody knows."""
        while True:
            if any(each.__name__ == "Hub" for each in type(greenlet).__mro__):
                return None, {}  # gevent's event loop, which starts what servers start
            starter = getattr(greenlet, "spawning_greenlet", None)
            greenlet = None if starter is None else starter()
            if greenlet is None:
                return None, {"foreign": True}
            if greenlet.parent is None:
                return None, {}
            seen = self._seen.get(id(greenlet))
            if seen is not None:
                return seen.handling, {}

    def _gone(self, identity: int, serial: int, _: Any) -> None:
        del self._seen[identity]
        self._recorder.send("greenlet.end", g=serial)


class _Seen:
    """A greenlet's serial, what notices its end, and the request that it handles, or works for."""

    __slots__ = ("gone", "handling", "serial")

    def __init__(self, serial: int, gone: Any, handling: Optional[Handling]) -> None:
        self.serial = serial
        self.gone = gone
        self.handling = handling
