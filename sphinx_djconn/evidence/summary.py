"""The ``summary`` part: the facts of all runs, as claims name them."""

from collections.abc import Sequence
from typing import Any, Final

from docutils import nodes

from sphinx_djconn.claims import figure_text
from sphinx_djconn.evidence.nodes import inline, table
from sphinx_djconn.evidence.text import printable
from sphinx_djconn.trace import FACTS, Trace, facts_of

_ALWAYS: Final = frozenset(
    {"requests", "statuses", "threads", "thread_idents", "http.connections"}
    | {"db.opened", "db.reused", "db.closed", "db.open", "db.sessions", "db.abandoned"}
)
_SAME_AS: Final = {"responses": "requests", "executors": "threads"}
"""Facts that tell something only where they differ from another."""

_ORDINARY: Final = {"processes": 1}
_GIST: Final = ("requests", "http.connections", "threads", "db.opened")


class Summary:
    """The figures of all runs, in the order of :data:`FACTS`.

    ``rows`` are fact, figure and meaning of every fact that tells something.
    """

    def __init__(self, runs: Sequence[Trace]) -> None:
        figures = [facts_of(run).figures for run in runs]
        self._values = {
            name: [figure[name] for figure in figures]
            for name in FACTS
            if all(name in figure for figure in figures)
        }
        self.rows: list[tuple[nodes.Node, str, list[nodes.Node]]] = [
            (nodes.literal(name, name), printable(figure_text(values)), inline(FACTS[name].description))
            for name, values in self._values.items()
            if name in _ALWAYS or any(self._tells(name, value) for value in values)
        ]

    @property
    def gist(self) -> str:
        """The figures that a reader looks for first."""
        return ", ".join(f"{name} {figure_text(self._values[name])}" for name in _GIST)

    def _tells(self, name: str, value: Any) -> bool:
        if name in _SAME_AS:
            return value not in self._values[_SAME_AS[name]]
        return bool(value) and value != _ORDINARY.get(name)

    def table(self) -> nodes.container:
        """Return the table of the rows."""
        columns = [("Fact", 26), ("Figure", 20), ("Meaning", 54)]
        return table(columns, self.rows, "djconn-summary")
