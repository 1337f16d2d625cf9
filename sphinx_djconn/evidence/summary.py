"""The ``summary`` part: the facts of all runs, by the names that claims use."""

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
"""Facts that are shown only if they differ from another fact."""

_ORDINARY: Final = {"processes": 1}
_IN_TITLE: Final = ("requests", "http.connections", "threads", "db.opened")


DEPENDS: Final = "depends on when the garbage collector runs"
"""Follows the bounds of a figure."""


def bounds_text(runs: Sequence[Facts], name: str) -> str:
    """Return the bounds of a fact that depends on when the garbage collector ran; else an empty text."""
    bounds = [facts.bounds(name) for facts in runs]
    if not any(bounds):
        return ""
    figures = [(facts.figures[name],) for facts in runs]
    values = [value for bound, figure in zip(bounds, figures, strict=True) for value in bound or figure]
    return f"{number(min(values))} to {number(max(values))}"


class Summary:
    """The figures of all runs, in the order of :data:`FACTS`.

    ``rows`` has the name, the figure and the meaning of every fact that is shown.
    """

    def __init__(self, runs: Sequence[Trace]) -> None:
        facts_of_runs = [facts_of(run) for run in runs]
        figures = [facts.figures for facts in facts_of_runs]
        self._values = {
            name: [figure[name] for figure in figures]
            for name in FACTS
            if all(name in figure for figure in figures)
        }
        self._bounds = {name: bounds_text(facts_of_runs, name) for name in self._values}
        self.rows: list[tuple[nodes.Node, str, list[nodes.Node]]] = [
            (nodes.literal(name, name), printable(self._text(name)), inline(FACTS[name].description))
            for name, values in self._values.items()
            if name in _ALWAYS or any(self._is_notable(name, value) for value in values)
        ]

    @property
    def title(self) -> str:
        """The most important figures, for the title of the part."""
        return ", ".join(f"{name} {figure_text(self._values[name])}" for name in _IN_TITLE)

    def _text(self, name: str) -> str:
        bounds = self._bounds[name]
        return f"{bounds} ({DEPENDS})" if bounds else figure_text(self._values[name])

    def _is_notable(self, name: str, value: Any) -> bool:
        if name in _SAME_AS:
            return value not in self._values[_SAME_AS[name]]
        return bool(value) and value != _ORDINARY.get(name)

    def table(self) -> nodes.container:
        """Return the table of the rows."""
        columns = [("Fact", 26), ("Figure", 20), ("Meaning", 54)]
        return table(columns, self.rows, "djconn-summary")
