"""The names in an expression, each with its type and the function that reads its value from facts."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sphinx_djconn.claims.errors import ExpressionError, listed, nearest
from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.trace.fact_table import ALIAS_FACTS, FACTS, REQUEST_FACTS
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.types import TRUTH, Kind, Type
from sphinx_djconn.trace.unknown import Unknown

VIEW: Final = "view"
"""The word after a label in ``overlap(first.view, second.view)``."""

MISSPELLED_VALUES: Final = {"none": "None", "true": "True", "false": "False", "null": "None"}
"""Words that are often written for a value, and how the value is written."""


@dataclass(frozen=True, slots=True)
class Missing(Unknown):
    """The value of a name that the facts of a run do not have."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name as readers see it, its type, and the function that reads its value.

    If it is a fact of a request, ``peer`` is the name of the same fact of another request, for examples.
    """

    text: str
    type: Type
    read: Callable[[Facts], Any]
    peer: str = ""


class Names(Protocol):
    """The names that may be used in an expression.

    Each method raises :class:`ExpressionError`, without text and column, if there is no such name.
    """

    @property
    def none_is_value(self) -> bool:
        """Whether None can be compared like any other value."""

    def no_names(self, text: str) -> tuple[str, str]:
        """Return the message and the hint for an expression ``text`` without names."""

    def name(self, parts: Sequence[str]) -> Name:
        """Return the dotted name that consists of ``parts``."""

    def alias_name(self, group: str, alias: str, parts: Sequence[str]) -> Name:
        """Return the name ``group["alias"].parts``."""

    def overlap(self, first: Sequence[str], second: Sequence[str]) -> Name:
        """Return the name ``overlap(first, second)``."""


@dataclass(frozen=True, slots=True)
class FactNames:
    """The names of facts, with the type of each.

    ``facts`` are those of a run (``db.opened``), ``request_facts`` those of a labelled request (``thread``),
    ``alias_facts`` those of a database (``opened`` in ``db["archive"].opened``), and ``labels`` those of
    the sequence.
    """

    facts: Mapping[str, Type]
    request_facts: Mapping[str, Type]
    labels: Collection[str]
    alias_facts: Mapping[str, Type]
    none_is_value: bool = False

    def no_names(self, text: str) -> tuple[str, str]:
        """Return the message and the hint for an expression without a fact."""
        return (
            f"`{text}` is the same in every run: nothing could refute it",
            "compare facts, as in `threads == 1`",
        )

    def name(self, parts: Sequence[str]) -> Name:
        """Return a fact of the run, or of a labelled request."""
        text = ".".join(parts)
        label, *rest = parts
        if label in self.labels:
            return self._request_fact(text, label, rest)
        if text not in self.facts:
            raise self._no_fact(text, parts)
        return Name(text, self.facts[text], lambda facts: _figure(facts, text))

    def alias_name(self, group: str, alias: str, parts: Sequence[str]) -> Name:
        """Return a fact of one database."""
        if group != _ALIAS_GROUP or not self.alias_facts:
            raise ExpressionError(
                f"`{group}` has no facts by name", f"write a name in brackets after `{_ALIAS_GROUP}` alone"
            )
        fact = ".".join(parts)
        shown = f'{group}["{alias}"]'
        if fact not in self.alias_facts:
            hint = nearest(fact, self.alias_facts, kind=f"facts of {shown}")
            raise ExpressionError(f"no fact '{shown}.{fact}'" if fact else f"`{shown}` is not a fact", hint)
        text = f"{shown}.{fact}"
        return Name(text, self.alias_facts[fact], lambda facts: _alias_figure(facts, text, alias))

    def overlap(self, first: Sequence[str], second: Sequence[str]) -> Name:
        """Return whether two requests, or their views, overlapped, as a fact."""
        for label, *rest in (first, second):
            if label not in self.labels:
                raise self._no_label(label)
            if rest not in ([], [VIEW]) or len(first) != len(second):
                raise ExpressionError(
                    f"`overlap({'.'.join(first)}, {'.'.join(second)})` does not name two requests or two views",
                    f"write it as in `overlap(first, second)` or `overlap(first.{VIEW}, second.{VIEW})`",
                )
        pair = (".".join(first), ".".join(second))
        return Name(f"overlap({pair[0]}, {pair[1]})", TRUTH, lambda facts: _overlapped(facts, pair))

    def _request_fact(self, text: str, label: str, rest: list[str]) -> Name:
        if not rest:
            raise ExpressionError(
                f"'{label}' is a label, not a fact", f"name a fact of that request, as in '{label}.thread'"
            )
        fact, *keys = rest
        if fact not in self.request_facts:
            hint = nearest(fact, self.request_facts, kind="facts of a request")
            raise ExpressionError(
                f"no fact '{label}.{fact}'", hint.replace("did you mean '", f"did you mean '{label}.")
            )
        type_ = self.request_facts[fact]
        if keys and type_.kind is not Kind.JSON:
            inside = [name for name, each in self.request_facts.items() if each.kind is Kind.JSON]
            raise ExpressionError(
                f"'{label}.{fact}' has no '{keys[0]}'", f"only '{label}.{', '.join(inside)}' can be looked into"
            )
        other = next(
            (each for each in self.labels if each != label), "second" if label != "second" else "first"
        )
        return Name(text, type_, lambda facts: _member(facts, f"{label}.{fact}", keys), f"{other}.{fact}")

    def _no_fact(self, text: str, parts: Sequence[str]) -> ExpressionError:
        first, *rest = parts
        whole = next((name for name in self.facts if text.startswith(f"{name}.")), None)
        if whole is not None:
            return ExpressionError(f"'{whole}' has no '{text[len(whole) + 1 :]}'", f"write '{whole}' alone")
        group = [name for name in self.facts if name.startswith(f"{first}.")]
        if rest and not group and rest[0] in self.request_facts:
            return self._no_label(first)
        if text in MISSPELLED_VALUES:
            return ExpressionError(f"no fact '{text}'", f"write '{MISSPELLED_VALUES[text]}' for the value")
        names = group or [
            *self.facts,
            *self.labels,
            *(f"{label}.{name}" for label in self.labels for name in self.request_facts),
        ]
        return ExpressionError(f"no fact '{text}'", nearest(text, names, kind="facts"))

    def _no_label(self, label: str) -> ExpressionError:
        hint = nearest(label, self.labels, kind="labels")
        if not self.labels:
            hint = f"end the step that you mean with 'as {label}'"
        return ExpressionError(f"no step has the label '{label}'", hint)


def fact_names(labels: Collection[str] = ()) -> FactNames:
    """Return the names of all facts, for a sequence that has these ``labels``."""
    return FactNames(
        {name: fact.type for name, fact in FACTS.items()},
        {name: fact.type for name, fact in REQUEST_FACTS.items()},
        labels,
        {name: FACTS[f"{_ALIAS_GROUP}.{name}"].type for name in ALIAS_FACTS},
    )


_ALIAS_GROUP: Final = "db"
_ALIAS_FIGURE: Final = re.compile(rf'{_ALIAS_GROUP}\["(?P<alias>.*)"\]\.')


def _figure(facts: Facts, name: str) -> Any:
    if name in facts.figures:
        return _explained(name, facts.figures[name])
    message, hint = facts.absent(name) or (
        f"no fact '{name}' in this run",
        nearest(name, list(facts.figures), kind="facts"),
    )
    return Missing(f"{message}; {hint}")


def _explained(name: str, value: Any) -> Any:
    """Return the value of a fact; if it is unknown, its reason names the fact."""
    if isinstance(value, Unknown):
        return Unknown(f"`{name}` is not known: {value.reason}")
    if isinstance(value, list) and any(isinstance(item, Unknown) for item in value):
        return [_explained(name, item) for item in value]
    return value


def _alias_figure(facts: Facts, name: str, alias: str) -> Any:
    if name in facts.figures:
        return _figure(facts, name)
    matches = (_ALIAS_FIGURE.match(figure) for figure in facts.figures)
    aliases = sorted({match["alias"] for match in matches if match})
    return Missing(f"this run has no database '{alias}'; its databases are {listed(aliases) or 'not known'}")


def _member(facts: Facts, path: str, keys: Sequence[str]) -> Any:
    """Return the figure ``path``, or the part of its JSON that ``keys`` lead to."""
    value = _figure(facts, path)
    for key in keys:
        if isinstance(value, Unknown):
            return value
        if not isinstance(value, Mapping):
            return Missing(
                f"'{path}' has no key '{key}', it is {value_text(value)}; "
                "only objects in the JSON of a response have keys"
            )
        if key not in value:
            names = [name for name in value if isinstance(name, str)]
            return Missing(f"'{path}' has no key '{key}'; {nearest(key, names, kind=f'keys of {path!r}')}")
        path, value = f"{path}.{key}", value[key]
    return value


def _overlapped(facts: Facts, pair: tuple[str, str]) -> Any:
    for operand in pair:
        label = operand.partition(".")[0]
        if label not in facts.labels:
            hint = nearest(label, facts.labels, kind="labels")
            return Missing(f"no request is labelled '{label}' in this run; {hint}")
    both = frozenset(pair)
    if both in facts.unknown_overlaps:
        reason = facts.unknown_overlaps[both].reason
        return Unknown(f"`overlap({pair[0]}, {pair[1]})` is not known: {reason}")
    return both in facts.overlaps
