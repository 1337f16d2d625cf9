"""The leaves of an expression's tree, and what all its nodes share.

What has no node, here or in ``operations``, cannot happen in an expression. Nodes are frozen and
find their value in the facts of a run; nothing that comes from a page is ever handed to ``eval`` or
``getattr``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sphinx_djconn.claims.errors import ExpressionError, nearest, shortened
from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.trace import Facts

JSON: Final = "json"
"""The fact of a request in which further names may be looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(ABC):
    """A part of an expression: ``text`` as it is written, from ``column`` of the whole on."""

    text: str = field(compare=False)
    column: int = field(compare=False)

    @abstractmethod
    def value(self, facts: Facts) -> Any:
        """Return the value in ``facts``; raise :class:`ExpressionError` where there is none."""

    def children(self) -> tuple["Node", ...]:
        """Return the parts of this part, in the order of the text."""
        return ()

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all below it, in the order of the text."""
        yield self
        for child in self.children():
            yield from child.walk()

    def mentions_fact(self) -> bool:
        """Whether the value can differ from run to run."""
        return any(isinstance(node, (Figure, Overlap)) for node in self.walk())

    def truth(self, facts: Facts) -> bool:
        """Return the value, which must be ``True`` or ``False``."""
        value = self.value(facts)
        if isinstance(value, bool):
            return value
        shown = shortened(self.text)
        kind, comparison = _kind(value, shown)
        raise ExpressionError(f"`{shown}` is {kind}", f"compare it, as in `{comparison}`")

    def apply(self, function: Callable[..., Any], hint: str, *operands: tuple["Node", Any]) -> Any:
        """Return what ``function`` makes of the operands' values."""
        try:
            return function(*(value for _, value in operands))
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            read = " and ".join(
                f"`{shortened(node.text)}` is {value_text(value)}"
                for node, value in operands
                if not isinstance(node, Literal)
            )
            message = f"`{shortened(self.text)}` has no value" + (f" where {read}" if read else "")
            raise ExpressionError(message, hint) from error


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a text, ``True``, ``False`` or ``None``."""

    constant: float | str | None

    def value(self, facts: Facts) -> Any:
        """Return the constant."""
        return self.constant


@dataclass(frozen=True, slots=True)
class Figure(Node):
    """A fact, by its dotted name; below ``LABEL.json`` further names look into the JSON."""

    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dotted name."""
        return ".".join(self.parts)

    def value(self, facts: Facts) -> Any:
        """Return the figure, or what its JSON holds under the rest of the name."""
        for length in range(len(self.parts), 0, -1):
            known = ".".join(self.parts[:length])
            if known in facts.figures:
                return self._look_up(known, facts.figures[known], self.parts[length:])
        absent = facts.absent(self.name)
        if absent is not None:
            raise ExpressionError(*absent)
        raise ExpressionError(
            f"no fact '{self.name}' in this run",
            nearest(self.name, list(facts.figures), kind="facts"),
        )

    def _look_up(self, path: str, value: Any, keys: tuple[str, ...]) -> Any:
        for key in keys:
            if not isinstance(value, Mapping):
                raise ExpressionError(
                    f"'{path}' has no key '{key}', it is {value_text(value)}",
                    "only objects in the JSON of a response have keys",
                )
            if key not in value:
                names = [name for name in value if isinstance(name, str)]
                raise ExpressionError(
                    f"'{path}' has no key '{key}'",
                    nearest(key, names, kind=f"keys of '{path}'"),
                )
            path, value = f"{path}.{key}", value[key]
        return value


@dataclass(frozen=True, slots=True)
class Overlap(Node):
    """Whether two labelled requests were in the server at the same time."""

    first: "Figure"
    second: "Figure"

    @property
    def name(self) -> str:
        """The call, as readers see it."""
        return f"overlap({self.first.name}, {self.second.name})"

    def value(self, facts: Facts) -> bool:
        """Return whether the requests overlapped."""
        for label in (self.first.name, self.second.name):
            if label not in facts.labels:
                raise ExpressionError(
                    f"no request is labelled '{label}' in this run",
                    nearest(label, facts.labels, kind="labels"),
                )
        return frozenset({self.first.name, self.second.name}) in facts.overlaps


def _kind(value: Any, text: str) -> tuple[str, str]:
    """Return what ``value`` is, and a comparison that fits ``text``."""
    match value:
        case None:
            return "none", f"{text} is None"
        case int() | float():
            return "a number", f"{text} == 1"
        case str():
            return "a text", f"{text} == '{shortened(value)}'"
        case Mapping():
            return "an object", f"{text}.key == 1"
        case _:
            return "a list", f"len({text}) == 1"
