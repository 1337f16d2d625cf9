"""Ctrl-C: what is going on in other threads is told to end, and nothing new begins."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sphinx_djconn.lab.errors import Cancelled


class Cancellation:
    """Happens once, or never. Whatever can take long is done within :meth:`ends`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._happened = False
        self._ends: list[Callable[[], None]] = []

    def happen(self) -> None:
        """End everything that is within :meth:`ends`, and all that would come after."""
        with self._lock:
            self._happened = True
            ends = list(self._ends)
        for end in ends:
            end()

    def check(self) -> None:
        """Raise :class:`Cancelled` where it has happened."""
        if self._happened:
            raise Cancelled

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """Have ``end`` called, in another thread, should it happen while the block runs.

        Raises :class:`Cancelled` before the block where it has happened already, and after it where it
        happened meanwhile.
        """
        with self._lock:
            self.check()
            self._ends.append(end)
        try:
            yield
            self.check()
        finally:
            with self._lock:
                self._ends.remove(end)
