"""Verdicts: a claim judged by the facts of its runs."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.figures import figure_text

if TYPE_CHECKING:
    from sphinx_djconn.claims.expression import Expression
    from sphinx_djconn.trace import Facts


class Verdict(StrEnum):
    """What the runs say of a claim."""

    HOLDS = "holds"
    REFUTED = "refuted"
    UNPROVEN = "unproven"


class Judgement(NamedTuple):
    """A verdict, and the values that decided it as half a sentence."""

    verdict: Verdict
    reason: str


def judge(expression: "Expression", runs: "Sequence[Facts]", *, sometimes: bool = False) -> Judgement:
    """Return the verdict on ``expression`` over ``runs``, those that reached their end.

    A claim holds where it is true of every run or, with ``sometimes``, of at least one. Where one
    run decides that, the reason is its values, else those of all runs. Without a run, or where the
    expression is neither true nor false of one of them, the claim is unproven.
    """
    if not runs:
        return Judgement(Verdict.UNPROVEN, "no run reached its end")
    if not expression.tree.mentions_fact():
        return Judgement(Verdict.UNPROVEN, f"`{expression.text}` speaks about no fact")
    truths = []
    for number, facts in enumerate(runs):
        try:
            truths.append(expression.evaluate(facts))
        except ExpressionError as error:
            return Judgement(Verdict.UNPROVEN, f"{error}{_place(number, runs)}")
    if sometimes in truths:  # one run decides: a false one, or with ``sometimes`` a true one
        number = truths.index(sometimes)
        reason = _reason(expression, [runs[number]]) + _place(number, runs)
    else:
        reason = _reason(expression, runs)
    holds = any(truths) if sometimes else all(truths)
    return Judgement(Verdict.HOLDS if holds else Verdict.REFUTED, reason)


def _reason(expression: "Expression", runs: "Sequence[Facts]") -> str:
    found: dict[str, list[Any]] = {}
    for facts in runs:
        for name, value in expression.values(facts).items():
            found.setdefault(name, []).append(value)
    return ", ".join(f"{name} is {figure_text(values)}" for name, values in found.items())


def _place(number: int, runs: "Sequence[Facts]") -> str:
    return f" (in run {number + 1} of {len(runs)})" if len(runs) > 1 else ""
