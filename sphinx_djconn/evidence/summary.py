"""The ``summary`` part: the facts of all runs, as claims name them."""

from collections.abc import Sequence
from typing import Any, Final

from docutils import nodes

from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.evidence.nodes import inline, table
from sphinx_djconn.evidence.text import number, printable
from sphinx_djconn.trace.fact_table import FACTS
from sphinx_djconn.trace.facts import Facts, facts_of
from sphinx_djconn.trace.reading import Trace

_ALWAYS: Final = frozenset(
    {"requests", "statuses", "threads", "thread_idents", "http.connections"}
    | {"db.opened", "db.reused", "db.closed", "db.open", "db.sessions", "db.abandoned"}
)
_SAME_AS: Final = {"responses": "requests", "executors": "threads"}
"""Facts that tell something only where they differ from another."""

_ORDINARY: Final = {"processes": 1}
_GIST: Final = ("requests", "http.connections", "threads", "db.opened")


DEPENDS: Final = "depends on when the garbage collector runs"
"""What is said of a figure that is known only within bounds."""


def bounds_text(runs: Sequence[Facts], name: str) -> str:
    """Return between which values a fact is if it depends on when the garbage collector ran; else nothing."""
    bounds = [facts.bounds(name) for facts in runs]
    if not any(bounds):
        return ""
    known = [(facts.figures[name],) for facts in runs]
    values = [value for each, figure in zip(bounds, known, strict=True) for value in each or figure]
    return f"{number(min(values))} to {number(max(values))}"


class Summary:
    """The figures of all runs, in the order of :data:`FACTS`.

    ``rows`` are fact, figure and meaning of every fact that tells something.
    """

    def __init__(self, runs: Sequence[Trace]) -> None:
        found = [facts_of(run) for run in runs]
        figures = [facts.figures for facts in found]
        self._values = {
            name: [figure[name] for figure in figures]
            for name in FACTS
            if all(name in figure for figure in figures)
        }
        self._bounds = {name: bounds_text(found, name) for name in self._values}
        self.rows: list[tuple[nodes.Node, str, list[nodes.Node]]] = [
            (nodes.literal(name, name), printable(self._text(name)), inline(FACTS[name].description))
            for name, values in self._values.items()
            if name in _ALWAYS or any(self._tells(name, value) for value in values)
        ]

    @property
    def gist(self) -> str:
        """The figures that a reader looks for first."""
        return ", ".join(f"{name} {figure_text(self._values[name])}" for name in _GIST)

    def _text(self, name: str) -> str:
        bounds = self._bounds[name]
        return f"{bounds} ({DEPENDS})" if bounds else figure_text(self._values[name])

    def _tells(self, name: str, value: Any) -> bool:
        if name in _SAME_AS:
            return value not in self._values[_SAME_AS[name]]
        return bool(value) and value != _ORDINARY.get(name)

    def table(self) -> nodes.container:
        """Return the table of the rows."""
        columns = [("Fact", 26), ("Figure", 20), ("Meaning", 54)]
        return table(columns, self.rows, "djconn-summary")
