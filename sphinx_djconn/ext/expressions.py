"""The expressions of claims and figures, parsed for the scenario that they are about."""

from collections.abc import Callable

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import Expression, parse
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.ext.registry import DeclaredClaim
from sphinx_djconn.ext.targets import Target
from sphinx_djconn.scenario.model import Scenario


def claim_expression(claim: DeclaredClaim, scenario: Scenario) -> Expression:
    """Return the expression of ``claim`` about ``scenario``.

    Raises :class:`ExpressionError` if a name is not a fact of the scenario, if types do not fit together, or if
    no run could give it another truth value than the declared one.
    """
    expression = figure_expression(claim.expression, scenario)
    expression.check(refuted=claim.declared is Verdict.REFUTED)
    return expression


def figure_expression(text: str, scenario: Scenario) -> Expression:
    """Return the expression ``text`` about ``scenario``, of any type; raise :class:`ExpressionError`."""
    return parse(text, scenario.sequence.labels)


def target_expression(target: Target, read: Callable[[Scenario], Expression]) -> Expression | None:
    """Return the expression that ``read`` returns, after it was checked for every cell of ``target``.

    Returns ``None`` if no cell can be run. Raises :class:`ExpressionError` if a cell lacks one of the names.
    """
    expression = None
    checked: set[tuple[str, ...]] = set()
    for cell in target.cells:
        if cell.scenario is None or cell.scenario.sequence.labels in checked:
            continue
        checked.add(cell.scenario.sequence.labels)
        try:
            expression = read(cell.scenario)
        except ExpressionError as error:
            if target.matrix is None:
                raise
            message = f"{error.message} (in the cell {target.label(cell)})"
            raise ExpressionError(message, error.hint, error.text, error.column) from error
    return expression
