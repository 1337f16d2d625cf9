"""Ctrl-C: operations that run in other threads are ended, and no new ones begin."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sphinx_djconn.lab.errors import Cancelled


class Cancellation:
    """A signal that is sent at most once. Every operation that can take long runs within :meth:`on_cancel`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._callbacks: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """End every operation that runs within :meth:`on_cancel`, and all that begin later."""
        with self._lock:
            self._is_cancelled = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise :class:`Cancelled` after a cancellation."""
        if self._is_cancelled:
            raise Cancelled

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call ``callback``, in the thread that cancels, if that happens while the block runs.

        Raises :class:`Cancelled` before the block after a cancellation, and after the block if one happened
        while it ran.
        """
        with self._lock:
            self.check()
            self._callbacks.append(callback)
        try:
            yield
            self.check()
        finally:
            with self._lock:
                self._callbacks.remove(callback)
