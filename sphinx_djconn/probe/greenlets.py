"""Greenlets: under gevent and eventlet they are what threads are elsewhere.

A patched ``threading.local`` has a value for each greenlet, and so Django a connection.
"""

import functools
import itertools
import threading
import weakref
from typing import Any, Callable, Dict

from .imports import Imports
from .recorder import Recorder


def watch(recorder: Recorder, imports: Imports) -> None:
    """Tell the greenlets of all events apart once the library is imported."""

    def imported(module: Any) -> None:
        recorder.tell_greenlets_apart(_Greenlets(recorder, module.getcurrent))

    imports.after("greenlet", imported)


class _Greenlets:
    """Gives serial numbers to greenlets; called, it returns that of the one which is running.

    It keeps none of them alive, and 0 is each thread's first greenlet, which is the thread itself.
    """

    def __init__(self, recorder: Recorder, current: Callable[[], Any]) -> None:
        self._recorder = recorder
        self._current = current
        self._serials = itertools.count(1)
        self._known: Dict[int, Any] = {}

    def __call__(self) -> int:
        greenlet = self._current()
        if greenlet.parent is None:
            return 0
        known = self._known.get(id(greenlet))
        if known is None:
            serial = next(self._serials)
            gone = weakref.ref(greenlet, functools.partial(self._gone, id(greenlet), serial))
            known = self._known[id(greenlet)] = (serial, gone)
            # Patched, this is the greenlet's own.
            self._recorder.send(
                "greenlet.start", self._recorder.thread(), g=serial, ident=threading.get_ident()
            )
        return int(known[0])

    def _gone(self, identity: int, serial: int, _: Any) -> None:
        del self._known[identity]
        self._recorder.send("greenlet.end", g=serial)
