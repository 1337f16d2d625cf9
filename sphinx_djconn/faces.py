"""The face of a room: names that bring the modules behind them only when they are asked for.

A build in which nothing has changed needs little of the package, and importing all of it would take
longer than finding that out.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def on_demand(room: str, modules: dict[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` (:pep:`562`) of the package ``room``.

    ``modules`` are those of the room that have names for others, each with these names and spaces between.
    """
    where = {name: module for module, names in modules.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{where[name]}"), name)

    return find
