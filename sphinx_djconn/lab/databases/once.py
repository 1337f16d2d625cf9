"""Values that several threads need, and that one of them creates."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sphinx_djconn.lab.errors import PreparationError

Value = TypeVar("Value")


class OncePerKey(Generic[Value]):
    """Creates a value for each key once. Later callers get the same value, or the same error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._values: dict[Hashable, Value] = {}
        self._failures: dict[Hashable, PreparationError] = {}

    def get(self, key: Hashable, create: Callable[[], Value]) -> Value:
        """Return the value of ``key``; ``create`` is called if there is none.

        Raises :class:`PreparationError` whenever ``create`` has raised one for this key. After other
        exceptions, the next caller tries again.
        """
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key in self._failures:
                raise self._failures[key]
            if key not in self._values:
                try:
                    self._values[key] = create()
                except PreparationError as error:
                    self._failures[key] = error
                    raise
            return self._values[key]
