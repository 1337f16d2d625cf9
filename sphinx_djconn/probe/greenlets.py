"""Watch greenlets: under gevent and eventlet, they take the place of threads.

A patched ``threading.local`` has a value for each greenlet, so Django has a connection for each greenlet.
"""

import functools
import itertools
import threading
import weakref
from typing import Any, Callable, Dict, Optional, Tuple

from .import_hooks import ImportHooks
from .recorder import Recorder, RequestState


def watch(recorder: Recorder, imports: ImportHooks) -> None:
    """Enter greenlets in all events once the library has been imported."""

    def imported(module: Any) -> None:
        recorder.use_greenlets(_Greenlets(recorder, module.getcurrent), module.getcurrent)

    imports.after("greenlet", imported)


class _Greenlets:
    """Gives serial numbers to greenlets. A call returns the serial of the current one.

    0 is the main greenlet of each thread. No greenlet is kept alive. A greenlet that gevent started works for
    the request that its starter was handling when the greenlet had its first event.
    """

    def __init__(self, recorder: Recorder, current: Callable[[], Any]) -> None:
        self._recorder = recorder
        self._current = current
        self._serials = itertools.count(1)
        self._by_id: Dict[int, _GreenletState] = {}

    def __call__(self) -> int:
        greenlet = self._current()
        if greenlet.parent is None:
            return 0
        state = self._by_id.get(id(greenlet))
        return self._add(greenlet).serial if state is None else state.serial

    def set_request(self, request_state: RequestState) -> None:
        """Set the request that the current greenlet is about to handle."""
        greenlet = self._current()
        if greenlet.parent is not None:
            (self._by_id.get(id(greenlet)) or self._add(greenlet)).request_state = request_state

    def _add(self, greenlet: Any) -> "_GreenletState":
        """Emit the start of the current greenlet, which is new, and return its state."""
        recorder = self._recorder
        # Set by the start of a thread, if greenlets take the place of threads.
        request_state = recorder.current.get()
        fields: Dict[str, Any] = {}
        if request_state is None:
            request_state, fields = self._request_of_starter(greenlet)
        work = None if request_state is None else request_state.work()
        serial = next(self._serials)
        gone = weakref.ref(greenlet, functools.partial(self._remove, id(greenlet), serial))
        state = self._by_id[id(greenlet)] = _GreenletState(serial, gone, work)
        if work is not None:
            recorder.current.set(work)
        # If ``threading`` is patched, this is the greenlet's own.
        ident = threading.get_ident()
        recorder.send("greenlet.start", recorder.thread(), work, g=serial, ident=ident, **fields)
        return state

    def _request_of_starter(self, greenlet: Any) -> Tuple[Optional[RequestState], Dict[str, Any]]:
        """Return the request that the starter of ``greenlet`` handled; with ``foreign`` if that is unknown."""
        while True:
            if any(each.__name__ == "Hub" for each in type(greenlet).__mro__):
                return None, {}  # gevent's event loop, which starts greenlets for the server
            starter = getattr(greenlet, "spawning_greenlet", None)
            greenlet = None if starter is None else starter()
            if greenlet is None:
                return None, {"foreign": True}
            if greenlet.parent is None:
                return None, {}
            state = self._by_id.get(id(greenlet))
            if state is not None:
                return state.request_state, {}

    def _remove(self, identity: int, serial: int, _: Any) -> None:
        del self._by_id[identity]
        self._recorder.send("greenlet.end", g=serial)


class _GreenletState:
    """A greenlet's serial, a weak reference that notices its end, and the request that it works for."""

    __slots__ = ("gone", "request_state", "serial")

    def __init__(self, serial: int, gone: Any, request_state: Optional[RequestState]) -> None:
        self.serial = serial
        self.gone = gone
        self.request_state = request_state
