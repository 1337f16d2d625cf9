"""The evidence of a matrix, from the results of its cells."""

from collections.abc import Sequence

from docutils import nodes

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import Expression
from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.claims.names import Missing
from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.matrix_table import NO_FIGURE, ShownCell, matrix_table
from sphinx_djconn.evidence.nodes import NOT_CHECKED, details_node
from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.evidence.run_settings import CellSettings, run_settings
from sphinx_djconn.evidence.text import printable
from sphinx_djconn.ext.expressions import figure_expression
from sphinx_djconn.ext.recordings import MissingRecording
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario
from sphinx_djconn.ext.results import Results
from sphinx_djconn.scenario.matrix import axis_text
from sphinx_djconn.scenario.model import Scenario


def matrix_evidence(
    matrix: DeclaredMatrix, results: Results, parts: Sequence[str], *, merged: bool
) -> list[nodes.Node]:
    """Return the table of ``matrix``; below it why cells failed, how it was run, and ``parts`` of each cell.

    ``merged`` is for formats in which an entry of a table can span several columns.
    """
    reading = _Cells(matrix, results, parts)
    for cell in matrix.cells:
        reading.add(cell)
    shown = matrix_table(matrix.axes, matrix.facts, reading.cells, merged=merged)
    for missing, labels in reading.missing.items():
        more = f" and {len(labels) - 1} more cells" if len(labels) > 1 else ""
        accepted = results.is_accepted(missing)
        why = f"{NOT_CHECKED}, " if accepted else ""
        shown += failure(f"{labels[0]}{more}: {why}{missing.message}.", missing.log, accepted=accepted)
    if reading.settings:
        shown.append(run_settings(matrix.axes, reading.settings, reading.runs))
    return [*shown, *reading.details]


class _Cells:
    """Collects what is shown of cells, and reads each recording once."""

    def __init__(self, matrix: DeclaredMatrix, results: Results, parts: Sequence[str]) -> None:
        self.cells: list[ShownCell] = []
        self.missing: dict[MissingRecording, list[str]] = {}
        self.settings: list[CellSettings] = []
        self.details: list[nodes.Node] = []
        self.runs = 0
        self._matrix = matrix
        self._results = results
        self._parts = parts
        self._expressions: dict[tuple[str, ...], list[Expression | None]] = {}

    def add(self, cell: DeclaredScenario) -> None:
        """Add ``cell``, with the figures of its recording."""
        scenario = cell.scenario
        assert scenario is not None, "a matrix with an error has no cells"
        values = tuple(axis_text(value) for value in cell.values)
        recording = self._results.recordings.recording(cell.name)
        if recording is None:
            missing = self._results.recordings.missing.get(
                cell.name, MissingRecording("there is no recording of it")
            )
            equal = next((other for other in self.missing if other.message == missing.message), missing)
            self.missing.setdefault(equal, []).append(self._matrix.label(cell))
            accepted = self._results.is_accepted(missing)
            self.cells.append(ShownCell(values, (), missing.message, cell.node_id, not_checked=accepted))
            return
        details = f"{cell.node_id}-evidence" if self._parts else ""
        figures, depends = self._figures(cell, scenario), self._depends_on_collector(cell)
        self.cells.append(ShownCell(values, figures, "", cell.node_id, details, depends=depends))
        self.settings.append(CellSettings(values, scenario.sequence.text, recording.runs[0].settings))
        self.runs = scenario.runs
        if self._parts:
            target = nodes.target("", "", ids=[details])
            shown = evidence(scenario, recording.runs, self._parts)
            self.details.append(details_node(printable(self._matrix.label(cell)), target, *shown))

    def _figures(self, cell: DeclaredScenario, scenario: Scenario) -> tuple[str, ...]:
        labels = scenario.sequence.labels
        if labels not in self._expressions:
            self._expressions[labels] = [_expression(fact, scenario) for fact in self._matrix.facts]
        return tuple(self._figure(expression, cell) for expression in self._expressions[labels])

    def _depends_on_collector(self, cell: DeclaredScenario) -> bool:
        """Return whether a figure that is shown depends on when the garbage collector ran."""
        runs = self._results.recordings.facts(cell.name)
        return any(run.bounds(fact) is not None for run in runs for fact in self._matrix.facts)

    def _figure(self, expression: Expression | None, cell: DeclaredScenario) -> str:
        if expression is None:
            return NO_FIGURE
        figures = [expression.figure(run) for run in self._results.recordings.facts(cell.name)]
        # A member that the JSON of a response does not have is missing.
        is_missing = any(isinstance(figure, Missing) for figure in figures)
        return NO_FIGURE if is_missing else figure_text(figures)


def _expression(fact: str, scenario: Scenario) -> Expression | None:
    try:
        return figure_expression(fact, scenario)
    except ExpressionError:  # the step with this label is in another sequence
        return None
