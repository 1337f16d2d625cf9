"""An expression: its names and types are checked before a run, and the facts decide it afterwards."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, Final

from sphinx_djconn.claims import refutation
from sphinx_djconn.claims.compiler import compile_expression
from sphinx_djconn.claims.figures import Possible, value_text
from sphinx_djconn.claims.logic import NULL, Distinct, described
from sphinx_djconn.claims.names import Missing, Name, Names, fact_names
from sphinx_djconn.claims.parts import ExpressionPart, require_name, require_truth
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown

MOST_ALTERNATIVES: Final = 20_000
"""The largest number of combinations of alternatives that is tried."""


@dataclass(frozen=True, slots=True)
class Expression:
    """The expression of a claim, or of a figure in a sentence. Expressions with equal texts are equal."""

    text: str
    root: ExpressionPart = field(compare=False, repr=False)

    @property
    def names(self) -> dict[str, Name]:
        """Its names, in the order of the text."""
        return self.root.names()

    def check(self, *, refuted: bool = False) -> None:
        """Raise :class:`ExpressionError` unless it can decide a claim.

        It must be true or false, and a run must be possible that refutes it. If it is declared ``refuted``, a
        run must be possible that does not refute it.
        """
        require_truth(self.text, self.root)
        refutation.check(self.text, self.root, wanted=refuted)

    def evaluate(self, facts: Facts) -> bool | Unknown:
        """Return whether the expression is true of ``facts``, whenever the garbage collector ran."""
        value = self.figure(facts)
        if isinstance(value, Possible):
            unknown = next((each for each in value.values if isinstance(each, Unknown)), None)
            if unknown is not None and not {True, False}.issubset(value.values):
                return unknown
            return self._depends(facts)
        if isinstance(value, (bool, Unknown)):
            return value
        return Unknown(f"`{self.text}` is {described(value)}, and not true or false")

    def figure(self, facts: Facts) -> Any:
        """Return the value of the expression, of any type.

        It is :class:`Unknown` if there is none, and :class:`Possible` if it depends on when Python's garbage
        collector ran.
        """
        values = {text: name.read(facts) for text, name in self.names.items()}
        groups = [group for group in self._alternatives(facts, values) if len(group) > 1]
        if prod(map(len, groups)) > MOST_ALTERNATIVES:
            return Unknown(
                f"`{self.text}` depends on when Python's garbage collector runs, in more ways than can be "
                f"tried; choose {_GARBAGE_COLLECTION}"
            )
        results: dict[str, Any] = {}
        for changes in product(*groups):
            for change in changes:
                values.update(change)
            value = _plain(self.root.value(values))
            results.setdefault(_key(value), value)
        return Possible(tuple(results.values())) if len(results) > 1 else next(iter(results.values()))

    def values(self, facts: Facts) -> dict[str, Any]:
        """Return the values of the names, in the order of the text.

        Names that ``facts`` do not have are left out: ``first.json is not None and first.json.key`` may have
        one. A value that depends on when Python's garbage collector ran is :class:`Possible`.
        """
        values = {text: name.read(facts) for text, name in self.names.items()}
        for group in self._alternatives(facts, values):
            for text in group[0]:
                different = {repr(each[text]): each[text] for each in group}
                if len(different) > 1:
                    values[text] = Possible(tuple(different.values()))
        return {text: value for text, value in values.items() if not isinstance(value, Missing)}

    def _alternatives(self, facts: Facts, values: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Yield the different values of the names that vary together, for each group of these."""
        names = self.names
        for group in facts.alternatives:
            varying = [text for text in names if any(text in each for each in group)]
            if not varying:
                continue
            alternatives = [{text: values[text] for text in varying}]
            for each in group:
                changed = facts._replace(figures={**facts.figures, **each})
                alternatives.append({text: names[text].read(changed) for text in varying})
            yield list({repr(each): each for each in alternatives}.values())

    def _depends(self, facts: Facts) -> Unknown:
        values = self.values(facts)
        varying = [
            f"{text} is {value_text(each)}" for text, each in values.items() if isinstance(each, Possible)
        ]
        values_text = ", ".join(varying)
        return Unknown(
            f"depends on when Python's garbage collector runs: {values_text}; choose {_GARBAGE_COLLECTION}"
        )


_GARBAGE_COLLECTION: Final = "`:garbage-collection: off` or `each-request`"


def parse(text: str, labels: Collection[str] = ()) -> Expression:
    """Return the expression ``text`` about the facts of a sequence with ``labels``.

    A line break counts as a space, so that an option of a directive may have several lines. Raises
    :class:`ExpressionError` if the text is not an expression, has no name or one that is not a fact, or
    compares types that do not fit together.
    """
    return parse_with(text, fact_names(labels))


def parse_with(text: str, names: Names) -> Expression:
    """Return the expression ``text``, as :func:`parse` does, with other ``names``."""
    line = re.sub(r"\s*\n\s*", " ", text).strip()
    root = compile_expression(line, names)
    require_name(line, root, names)
    return Expression(line, root)


def _plain(value: Any) -> Any:
    """Return a value without the classes that only comparisons need."""
    if value is NULL:
        return None
    if isinstance(value, Distinct):
        try:
            return frozenset(map(_plain, value))
        except TypeError:  # an object from JSON
            return tuple(map(_plain, value))
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value


def _key(value: Any) -> str:
    """Return a key that is the same for equal values."""
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)
