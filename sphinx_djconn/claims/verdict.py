"""Judge a claim by the facts of its runs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sphinx_djconn.claims.expression import Expression
from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.claims.judgement import Judgement, Verdict
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown

_NO_CELL: Final = ""
"""The name of the only cell of a scenario that is no matrix."""


def judge(expression: Expression, runs: Sequence[Facts], *, sometimes: bool = False) -> Judgement:
    """Return the verdict on ``expression``, given the facts of all complete ``runs``.

    A claim holds if it is true for each run or, with ``sometimes``, for at least one. If one run is enough to
    decide that, the reason has the values of this run, else those of all runs. The claim is unproven if there
    is no run, or if a run for which the expression is unknown could change the verdict.
    """
    return judge_cells(expression, {_NO_CELL: runs}, sometimes=sometimes)


def judge_cells(
    expression: Expression, cells: Mapping[str, Sequence[Facts]], *, sometimes: bool = False
) -> Judgement:
    """Return the verdict on ``expression``, as :func:`judge` does, given the runs of several ``cells``.

    If a cell has no run, the claim is unproven, unless another cell decides it.
    """
    deciding: list[tuple[str, int]] = []  # runs for which it is false, or true with ``sometimes``
    unknown: Judgement | None = None
    for cell, runs in cells.items():
        for number, facts in enumerate(runs):
            truth = expression.evaluate(facts)
            if isinstance(truth, Unknown):
                reason = _with(truth.reason, [_place(cell, number, runs)])
                unknown = unknown or Judgement(Verdict.UNPROVEN, reason, cell)
            elif truth == sometimes:
                deciding.append((cell, number))
    if deciding:
        cell, number = deciding[0]
        details = [_place(cell, number, cells[cell]), _share(deciding, cells, sometimes=sometimes)]
        reason = _reason(expression, [cells[cell][number]])
        return Judgement(_verdict(holds=sometimes), _with(reason, details), cell)
    if unknown is not None:
        return unknown
    for cell, runs in cells.items():
        if not runs:
            where = f" in the cell {cell}" if cell else ""
            return Judgement(Verdict.UNPROVEN, f"no run{where} reached its end", cell)
    if not cells:
        return Judgement(Verdict.UNPROVEN, "no run reached its end")
    everywhere = "".join(cells) and f"in {f'all {len(cells)} cells' if len(cells) > 1 else next(iter(cells))}"
    reason = _reason(expression, [facts for runs in cells.values() for facts in runs])
    return Judgement(_verdict(holds=not sometimes), _with(reason, [everywhere]))


def _verdict(*, holds: bool) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.REFUTED


def _reason(expression: Expression, runs: Sequence[Facts]) -> str:
    by_name: dict[str, list[Any]] = {}
    for facts in runs:
        for name, value in expression.values(facts).items():
            by_name.setdefault(name, []).append(value)
    return ", ".join(f"{name} is {figure_text(values)}" for name, values in by_name.items())


def _with(reason: str, details: Sequence[str]) -> str:
    text = "; ".join(filter(None, details))
    return f"{reason} ({text})" if text else reason


def _place(cell: str, number: int, runs: Sequence[Facts]) -> str:
    run = f"run {number + 1} of {len(runs)}" if len(runs) > 1 else ""
    where = ", ".join(filter(None, (cell, run)))
    return f"in {where}" if where else ""


def _share(
    deciding: Sequence[tuple[str, int]], cells: Mapping[str, Sequence[Facts]], *, sometimes: bool
) -> str:
    """Return how many of the cells decide the same."""
    if len(cells) <= 1:
        return ""
    count = len({cell for cell, _ in deciding})
    truth = "true" if sometimes else "false"
    return f"{truth} in {count} of {len(cells)} cells"
