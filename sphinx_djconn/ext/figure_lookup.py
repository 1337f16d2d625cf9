"""The figures in sentences, looked up in the facts of recordings."""

from collections.abc import Mapping

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.ext.expressions import figure_expression, target_expression
from sphinx_djconn.ext.recordings import Recordings
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario
from sphinx_djconn.ext.targets import TargetError, resolve_target
from sphinx_djconn.trace.unknown import Unknown


class FigureError(ValueError):
    """A figure has no value. ``not_installed`` says that the only reason is something that is not installed."""

    def __init__(self, message: str, *, not_installed: bool = False) -> None:
        super().__init__(message)
        self.not_installed = not_installed


class Figures:
    """The figures of the scenarios and matrices in ``declarations``."""

    def __init__(
        self, declarations: Mapping[str, DeclaredScenario | DeclaredMatrix], recordings: Recordings
    ) -> None:
        self._declarations = declarations
        self._recordings = recordings

    def figure(self, target: str, expression: str) -> str:
        """Return the figure ``expression`` of ``target``: a scenario, a matrix, or cells of it.

        Raises :class:`FigureError` if it has no value.
        """
        try:
            return self._figure(target, expression)
        except FigureError:
            raise
        except (ExpressionError, TargetError) as error:
            raise FigureError(str(error)) from error
        except Exception as error:
            message = self._recordings.bug_reports.message(error, "the figure was looked up", target)
            raise FigureError(message) from error

    def _figure(self, name: str, text: str) -> str:
        target = resolve_target(self._declarations, name)
        if not text:
            raise FigureError("name a fact after the scenario, as in `keep-alive threads`")
        expression = target_expression(target, lambda scenario: figure_expression(text, scenario))
        runs = [run for cell in target.cells for run in self._recordings.facts(cell.name)]
        without_run = self._recordings.without_run(target.cells)
        if expression is None or without_run:
            what = (
                f"cell `{without_run[0].name}`" if without_run and target.matrix else f"{target.kind} `{name}`"
            )
            not_installed = self._recordings.not_installed(without_run)
            why = f": {'; '.join(not_installed)}" if not_installed else "; its own warning says why"
            raise FigureError(f"no run of the {what} reached its end{why}", not_installed=bool(not_installed))
        figures = [expression.figure(run) for run in runs]
        unknown = next((figure for figure in figures if isinstance(figure, Unknown)), None)
        if unknown is not None:
            raise FigureError(unknown.reason)
        return figure_text(figures)
