"""The evidence of a matrix, from the results of its cells."""

from collections.abc import Sequence

from docutils import nodes

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import Expression
from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.claims.names import Missing
from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.matrix_table import NO_FIGURE, ShownCell, matrix_table
from sphinx_djconn.evidence.nodes import NOT_CHECKED, fold
from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.evidence.run_settings import HowRun, how_run
from sphinx_djconn.evidence.text import printable
from sphinx_djconn.ext.recorded import MissingRecording
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario, figure_expression
from sphinx_djconn.ext.results import Results
from sphinx_djconn.scenario.matrix import axis_text


def matrix_evidence(
    matrix: DeclaredMatrix, results: Results, parts: Sequence[str], *, merged: bool
) -> list[nodes.Node]:
    """Return the table of ``matrix``; below it why cells failed, how it was run, and ``parts`` of each cell.

    ``merged`` is for formats in which an entry of a table can take several columns.
    """
    reading = _Reading(matrix, results, parts)
    for cell in matrix.cells:
        reading.read(cell)
    shown = matrix_table(matrix.axes, matrix.facts, reading.cells, merged=merged)
    for absence, labels in reading.failed.items():
        more = f" and {len(labels) - 1} more cells" if len(labels) > 1 else ""
        accepted = results.accepts(absence)
        why = f"{NOT_CHECKED}, " if accepted else ""
        shown += failure(f"{labels[0]}{more}: {why}{absence.message}.", absence.log, accepted=accepted)
    if reading.how:
        shown.append(how_run(matrix.axes, reading.how, reading.runs))
    return [*shown, *reading.folds]


class _Reading:
    """One walk over the cells, in which each recording is read once."""

    def __init__(self, matrix: DeclaredMatrix, results: Results, parts: Sequence[str]) -> None:
        self.cells: list[ShownCell] = []
        self.failed: dict[MissingRecording, list[str]] = {}
        self.how: list[HowRun] = []
        self.folds: list[nodes.Node] = []
        self.runs = 0
        self._matrix = matrix
        self._results = results
        self._parts = parts
        self._expressions: dict[tuple[str, ...], list[Expression | None]] = {}

    def read(self, cell: DeclaredScenario) -> None:
        """Take from the recording of ``cell`` what is to be shown."""
        scenario = cell.scenario
        assert scenario is not None, "a matrix that is refused has no cells"
        values = tuple(text for text in map(axis_text, cell.values))
        absence = self._results.absences.get(cell.name)
        recording = self._results.recording(cell.name)
        if absence is not None or recording is None:
            absence = absence or MissingRecording("there is no recording of it")
            alike = next((each for each in self.failed if each.message == absence.message), absence)
            self.failed.setdefault(alike, []).append(self._matrix.label(cell))
            accepted = self._results.accepts(absence)
            self.cells.append(ShownCell(values, (), absence.message, cell.node_id, not_checked=accepted))
            return
        details = f"{cell.node_id}-evidence" if self._parts else ""
        shown_cell = ShownCell(values, self._figures(cell), "", cell.node_id, details, self._depends(cell))
        self.cells.append(shown_cell)
        self.how.append(HowRun(values, scenario.sequence.text, recording.runs[0].settings))
        self.runs = scenario.runs
        if self._parts:
            target = nodes.target("", "", ids=[details])
            shown = evidence(scenario, recording.runs, self._parts)
            self.folds.append(fold(printable(self._matrix.label(cell)), target, *shown))

    def _figures(self, cell: DeclaredScenario) -> tuple[str, ...]:
        assert cell.scenario is not None
        labels = cell.scenario.sequence.labels
        if labels not in self._expressions:
            self._expressions[labels] = [_checked(fact, cell) for fact in self._matrix.facts]
        return tuple(self._figure(expression, cell) for expression in self._expressions[labels])

    def _depends(self, cell: DeclaredScenario) -> bool:
        """Return whether a figure that is shown depends on when the garbage collector ran."""
        runs = self._results.facts(cell.name)
        return any(run.bounds(fact) is not None for run in runs for fact in self._matrix.facts)

    def _figure(self, expression: Expression | None, cell: DeclaredScenario) -> str:
        if expression is None:
            return NO_FIGURE
        figures = [expression.figure(run) for run in self._results.facts(cell.name)]
        is_missing = any(
            isinstance(figure, Missing) for figure in figures
        )  # as a member that some JSON does not have
        return NO_FIGURE if is_missing else figure_text(figures)


def _checked(fact: str, cell: DeclaredScenario) -> Expression | None:
    assert cell.scenario is not None
    try:
        return figure_expression(fact, cell.scenario)
    except ExpressionError:  # the step with this label is in another sequence
        return None
