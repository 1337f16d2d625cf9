"""An expression: checked by names before a run, and decided by the facts after it."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from sphinx_djconn.claims.errors import ExpressionError, nearest, shortened
from sphinx_djconn.claims.nodes import JSON, Figure, Node, Overlap
from sphinx_djconn.claims.operations import Comparison, Logic
from sphinx_djconn.claims.syntax import read
from sphinx_djconn.trace import Facts


@dataclass(frozen=True, slots=True)
class Expression:
    """What decides a claim, or what a sentence quotes. Equal texts are equal expressions."""

    text: str
    tree: Node = field(compare=False, repr=False)

    def check(
        self,
        fact_names: Collection[str],
        request_fact_names: Collection[str],
        labels: Collection[str],
    ) -> None:
        """Raise :class:`ExpressionError` where a name is wrong or nothing could refute it.

        ``fact_names`` are those of a run (``db.opened``), ``request_fact_names`` those of a
        labelled request (``thread``), ``labels`` those that the sequence gives. No value is needed,
        and no part is left out: a wrong name behind ``or`` is found too.
        """
        names = _Names(self.text, fact_names, request_fact_names, labels)
        for node in self.tree.walk():
            match node:
                case Figure():
                    names.check_figure(node)
                case Overlap():
                    names.check_label(node.first)
                    names.check_label(node.second)
        idle = next(self._idle(), None)
        if idle is not None:
            raise ExpressionError(
                f"`{shortened(idle.text)}` is the same in every run: nothing could refute it",
                "compare facts, as in `threads == 1`",
                self.text,
                idle.column,
            )

    def evaluate(self, facts: Facts) -> bool:
        """Return whether the expression is true of ``facts``.

        Raise :class:`ExpressionError` where it is neither true nor false.
        """
        return self.tree.truth(facts)

    def figure(self, facts: Facts) -> Any:
        """Return the value of the expression, of whatever kind it is.

        Raise :class:`ExpressionError` where it has none.
        """
        return self.tree.value(facts)

    def values(self, facts: Facts) -> dict[str, Any]:
        """Return the facts that the expression mentions, by name, in the order of the text.

        Those that ``facts`` do not have (behind ``first.json is not None and``, say) are left out.
        """
        found: dict[str, Any] = {}
        for node in self.tree.walk():
            if isinstance(node, (Figure, Overlap)) and node.name not in found:
                try:
                    found[node.name] = node.value(facts)
                except ExpressionError:
                    continue
        return found

    def _idle(self) -> Iterator[Node]:
        """Yield the parts that decide nothing."""
        if not self.tree.mentions_fact():
            yield self.tree
        for node in self.tree.walk():
            match node:
                case Logic():
                    yield from (part for part in node.children() if not part.mentions_fact())
                case Comparison() if any(left == right for _, left, right in node.pairs()):
                    yield node


def parse(text: str) -> Expression:
    """Return the expression that ``text`` is; raise :class:`ExpressionError` where it is none.

    A line break counts as a space, so that an option of a directive may go over several lines.
    """
    line = re.sub(r"\s*\n\s*", " ", text).strip()
    return Expression(line, read(line))


class _Names:
    """The names that exist where an expression is used."""

    def __init__(
        self,
        text: str,
        fact_names: Collection[str],
        request_fact_names: Collection[str],
        labels: Collection[str],
    ) -> None:
        self._text = text
        self._facts = list(fact_names)
        self._request_facts = list(request_fact_names)
        self._labels = list(labels)

    def check_figure(self, node: Figure) -> None:
        """Raise where ``node`` is no fact of the run and none of a labelled request."""
        label, *rest = node.parts
        if label in self._labels:
            self._check_request_fact(node, label, rest)
        elif node.name not in self._facts:
            raise self._unknown(node)

    def check_label(self, node: Figure) -> None:
        """Raise where no step has the label that ``node`` is."""
        if node.name not in self._labels:
            raise self._no_label(node, node.name)

    def _check_request_fact(self, node: Figure, label: str, rest: list[str]) -> None:
        if not rest:
            raise self._error(
                node,
                f"'{label}' is a label, not a fact",
                f"name a fact of that request, as in '{label}.thread'",
            )
        if rest[0] not in self._request_facts:
            hint = nearest(rest[0], self._request_facts, kind="facts of a request")
            raise self._error(
                node,
                f"no fact '{label}.{rest[0]}'",
                hint.replace("did you mean '", f"did you mean '{label}."),
            )
        if rest[1:] and rest[0] != JSON:
            raise self._error(
                node,
                f"'{label}.{rest[0]}' has no '{rest[1]}'",
                f"only '{label}.{JSON}' can be looked into",
            )

    def _unknown(self, node: Figure) -> ExpressionError:
        first, *rest = node.parts
        whole = next((name for name in self._facts if node.name.startswith(f"{name}.")), None)
        if whole is not None:
            return self._error(
                node, f"'{whole}' has no '{node.name[len(whole) + 1 :]}'", f"write '{whole}' alone"
            )
        group = [name for name in self._facts if name.startswith(f"{first}.")]
        if rest and not group and rest[0] in self._request_facts:
            return self._no_label(node, first)
        names = group or [
            *self._facts,
            *self._labels,
            *(f"{label}.{name}" for label in self._labels for name in self._request_facts),
        ]
        written = {"none": "None", "true": "True", "false": "False", "null": "None"}.get(node.name)
        if written is not None:
            return self._error(node, f"no fact '{node.name}'", f"write '{written}' for the value")
        return self._error(node, f"no fact '{node.name}'", nearest(node.name, names, kind="facts"))

    def _no_label(self, node: Figure, label: str) -> ExpressionError:
        hint = nearest(label, self._labels, kind="labels")
        if not self._labels:
            hint = f"end the step that you mean with 'as {label}'"
        return self._error(node, f"no step has the label '{label}'", hint)

    def _error(self, node: Node, message: str, hint: str) -> ExpressionError:
        return ExpressionError(message, hint, self._text, node.column)
