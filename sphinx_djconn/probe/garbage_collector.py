"""Run Python's garbage collector when the scenario says so.

By default, the probe leaves the collector alone. ``off`` and ``each-request`` disable automatic collection
in every Python process of the server, before any code of the server or the project runs. ``gc.enable`` then
does nothing, so that neither can enable it again. ``gc.collect``, ``gc.freeze`` and ``gc.set_threshold``
work as usual: they do not start automatic collection while it is disabled.

With ``each-request``, a process collects after the end of each request that it has handled, in the thread that
ended the request: the one that closed the response or, under ASGI, that of the event loop. ``__del__`` methods
and callbacks of weak references run there, as in any collection. What they do isn't part of the request.
"""

import gc
import threading
from collections import deque
from typing import Any, Deque

from .recorder import Recorder

OFF, EACH_REQUEST = "off", "each-request"


def control(recorder: Recorder, mode: str) -> None:
    """Run the collector as ``mode`` says, in this process and those that it forks.

    Any other mode than :data:`OFF` and :data:`EACH_REQUEST` leaves the collector alone.
    """
    if mode not in (OFF, EACH_REQUEST):
        return
    gc.disable()
    gc.enable = _stay_disabled
    if mode == EACH_REQUEST:
        recorder.collect = _Collector(recorder)


def _stay_disabled() -> None:
    """Do nothing, in place of ``gc.enable``."""


class _Collector:
    """Collects after the end of a request, and then sends ``request.collected``.

    Python has one collection at a time: while one runs, ``gc.collect`` returns at once in any other thread or
    greenlet. So a request that ends meanwhile leaves its number to the thread that collects, which then
    collects again.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._waiting: Deque[int] = deque()
        self._running = _allocate_lock()
        recorder.after_fork.append(self._forked)

    def __call__(self, request: int) -> None:
        self._waiting.append(request)
        while self._waiting and self._running.acquire(False):
            try:
                while self._waiting:
                    requests = [self._waiting.popleft() for _ in range(len(self._waiting))]
                    gc.collect()
                    for number in requests:
                        self._recorder.send("request.collected", r=number)
            finally:
                self._running.release()

    def _forked(self) -> None:
        """Start afresh in a child: a thread of its parent may have been collecting."""
        self._waiting, self._running = deque(), _allocate_lock()


_allocate_lock: Any = threading.Lock
"""The original, which gevent may replace by a lock for greenlets later. No thread ever waits for this lock."""
