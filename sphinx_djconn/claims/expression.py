"""An expression: checked by names and types before a run, and decided by the facts after it."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, Final

from sphinx_djconn.claims import refutation
from sphinx_djconn.claims.compiler import compiled
from sphinx_djconn.claims.figures import Possible, value_text
from sphinx_djconn.claims.logic import NULL, Distinct, described
from sphinx_djconn.claims.names import Missing, Name, Names, fact_names
from sphinx_djconn.claims.parts import Part, require_name, require_truth
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown

MOST_ALTERNATIVES: Final = 20_000
"""How many combinations of alternatives are tried at most."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What decides a claim, or what a sentence quotes. Equal texts are equal expressions."""

    text: str
    root: Part = field(compare=False, repr=False)

    @property
    def names(self) -> dict[str, Name]:
        """The names that it mentions, in the order of the text."""
        return self.root.names()

    def check(self, *, refuted: bool = False) -> None:
        """Raise :class:`ExpressionError` unless it can decide a claim.

        It has to be true or false, and there has to be a run that refutes it. If it is declared ``refuted``,
        there has to be a run that does not.
        """
        require_truth(self.text, self.root)
        refutation.check(self.text, self.root, wanted=refuted)

    def evaluate(self, facts: Facts) -> bool | Unknown:
        """Return whether the expression is true of ``facts``, wherever the garbage collector had run."""
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
        """Return the value of the expression, of whatever type it is.

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
        found: dict[str, Any] = {}
        for changes in product(*groups):
            for change in changes:
                values.update(change)
            value = _plain(self.root.value(values))
            found.setdefault(_key(value), value)
        return Possible(tuple(found.values())) if len(found) > 1 else next(iter(found.values()))

    def values(self, facts: Facts) -> dict[str, Any]:
        """Return the facts that the expression mentions, by name, in the order of the text.

        Those that ``facts`` do not have (behind ``first.json is not None and``, say) are left out. One that
        depends on when Python's garbage collector ran is :class:`Possible`.
        """
        found = {text: name.read(facts) for text, name in self.names.items()}
        for group in self._alternatives(facts, found):
            for text in group[0]:
                different = {repr(each[text]): each[text] for each in group}
                if len(different) > 1:
                    found[text] = Possible(tuple(different.values()))
        return {text: value for text, value in found.items() if not isinstance(value, Missing)}

    def _alternatives(self, facts: Facts, values: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Yield the different values of the names that vary together, for each group of these."""
        names = self.names
        for group in facts.alternatives:
            mentioned = [text for text in names if any(text in each for each in group)]
            if not mentioned:
                continue
            found = [{text: values[text] for text in mentioned}]
            for each in group:
                changed = facts._replace(figures={**facts.figures, **each})
                found.append({text: names[text].read(changed) for text in mentioned})
            yield list({repr(each): each for each in found}.values())

    def _depends(self, facts: Facts) -> Unknown:
        values = self.values(facts)
        varying = [
            f"{text} is {value_text(each)}" for text, each in values.items() if isinstance(each, Possible)
        ]
        told = ", ".join(varying)
        return Unknown(f"depends on when Python's garbage collector runs: {told}; choose {_GARBAGE_COLLECTION}")


_GARBAGE_COLLECTION: Final = "`:garbage-collection: off` or `each-request`"


def parse(text: str, labels: Collection[str] = ()) -> Expression:
    """Return the expression that ``text`` is, about the facts of a sequence that has these ``labels``.

    A line break counts as a space, so that an option of a directive may go over several lines. Raises
    :class:`ExpressionError` if it is no expression, names what is no fact, compares types that do not fit
    together, or names no fact at all.
    """
    return parse_with(text, fact_names(labels))


def parse_with(text: str, names: Names) -> Expression:
    """Return the expression that ``text`` is, as :func:`parse` does, with these ``names``."""
    line = re.sub(r"\s*\n\s*", " ", text).strip()
    root = compiled(line, names)
    require_name(line, root, names)
    return Expression(line, root)


def _plain(value: Any) -> Any:
    """Return a value without what only comparisons need."""
    if value is NULL:
        return None
    if isinstance(value, Distinct):
        try:
            return frozenset(map(_plain, value))
        except TypeError:  # an object out of JSON
            return tuple(map(_plain, value))
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value


def _key(value: Any) -> str:
    """Return what equal values have in common."""
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)
