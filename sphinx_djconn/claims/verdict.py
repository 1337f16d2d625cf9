"""Verdicts: a claim judged by the facts of its runs."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.trace.unknown import Unknown

if TYPE_CHECKING:
    from sphinx_djconn.claims.expression import Expression
    from sphinx_djconn.trace.facts import Facts


class Verdict(StrEnum):
    """What the runs say of a claim."""

    HOLDS = "holds"
    REFUTED = "refuted"
    UNPROVEN = "unproven"


class Judgement(NamedTuple):
    """A verdict, and the values that decided it as half a sentence.

    ``cell`` is the one of a matrix that decided it, where one did.
    """

    verdict: Verdict
    reason: str
    cell: str = ""


_ALONE: Final = ""
"""Stands for the cell where there are none, only runs."""


def judge(expression: "Expression", runs: "Sequence[Facts]", *, sometimes: bool = False) -> Judgement:
    """Return the verdict on ``expression`` over ``runs``, those that reached their end.

    A claim holds if it is true of every run or, with ``sometimes``, of at least one. If one run decides that,
    the reason is its values, else those of all runs. The claim is unproven if there is no run, or if no run
    decides it and it is not known of one of them whether it is true.
    """
    return judge_cells(expression, {_ALONE: runs}, sometimes=sometimes)


def judge_cells(
    expression: "Expression", cells: "Mapping[str, Sequence[Facts]]", *, sometimes: bool = False
) -> Judgement:
    """Return the verdict on ``expression`` over the runs of several ``cells``, as :func:`judge` does.

    A cell without a run can be the reason that a claim is unproven, where no other cell decides it.
    """
    deciding: list[tuple[str, int]] = []  # false ones, or with ``sometimes`` true ones
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
        told = [_place(cell, number, cells[cell]), _share(deciding, cells, sometimes=sometimes)]
        reason = _reason(expression, [cells[cell][number]])
        return Judgement(_verdict(holds=sometimes), _with(reason, told), cell)
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


def _reason(expression: "Expression", runs: "Sequence[Facts]") -> str:
    found: dict[str, list[Any]] = {}
    for facts in runs:
        for name, value in expression.values(facts).items():
            found.setdefault(name, []).append(value)
    return ", ".join(f"{name} is {figure_text(values)}" for name, values in found.items())


def _with(reason: str, told: Sequence[str]) -> str:
    found = "; ".join(filter(None, told))
    return f"{reason} ({found})" if found else reason


def _place(cell: str, number: int, runs: "Sequence[Facts]") -> str:
    run = f"run {number + 1} of {len(runs)}" if len(runs) > 1 else ""
    where = ", ".join(filter(None, (cell, run)))
    return f"in {where}" if where else ""


def _share(
    deciding: Sequence[tuple[str, int]], cells: "Mapping[str, Sequence[Facts]]", *, sometimes: bool
) -> str:
    """Return how many of the cells say the same."""
    if len(cells) <= 1:
        return ""
    count = len({cell for cell, _ in deciding})
    truth = "true" if sometimes else "false"
    return f"{truth} in {count} of {len(cells)} cells"
