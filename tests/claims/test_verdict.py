"""A claim is judged by all of its runs, and the reason names the values that decided it."""

from typing import Any

import pytest

from sphinx_djconn.claims.expression import parse
from sphinx_djconn.claims.judgement import Judgement, Verdict
from sphinx_djconn.claims.verdict import judge
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown


def run(**figures: Any) -> Facts:
    return Facts(
        {name.replace("__", "."): value for name, value in figures.items()},
        ("a", "b"),
        frozenset({frozenset({"a", "b"})}),
    )


ONE = [run(threads=6)]
SAME = [run(threads=6), run(threads=6), run(threads=6)]
DIFFERENT = [run(threads=6), run(threads=5), run(threads=1)]


@pytest.mark.parametrize(
    ("text", "runs", "verdict", "reason"),
    [
        ("threads == 6", ONE, "holds", "threads is 6"),
        ("threads == 1", ONE, "refuted", "threads is 6"),
        ("threads == 6", SAME, "holds", "threads is 6"),
        ("threads == 1", SAME, "refuted", "threads is 6 (in run 1 of 3)"),
        ("threads > 0", DIFFERENT, "holds", "threads is 1–6 in 3 runs"),
        ("threads > 5", DIFFERENT, "refuted", "threads is 5 (in run 2 of 3)"),
        ("threads > 1", DIFFERENT, "refuted", "threads is 1 (in run 3 of 3)"),
        (
            "a.thread == b.thread and db.opened == 1",
            [run(a__thread="T1", b__thread="T1", db__opened=1)],
            "holds",
            "a.thread is T1, b.thread is T1, db.opened is 1",
        ),
        (
            "a.db_connection != b.db_connection",
            [run(a__db_connection="C1", b__db_connection=value) for value in ("C2", "C3")],
            "holds",
            "a.db_connection is C1, b.db_connection is C2 or C3 in 2 runs",
        ),
        ("overlap(a, b)", ONE, "holds", "overlap(a, b) is true"),
        (
            "200 in statuses",
            [run(statuses=[500, 500])],
            "refuted",
            "statuses is 500 × 2",
        ),
    ],
)
def test_an_expectation_is_true_of_every_run(text: str, runs: list[Facts], verdict: str, reason: str) -> None:
    assert judge(parse(text, ("a", "b")), runs) == Judgement(Verdict(verdict), reason)


@pytest.mark.parametrize(
    ("text", "runs", "verdict", "reason"),
    [
        ("threads == 6", ONE, "holds", "threads is 6"),
        ("threads == 5", ONE, "refuted", "threads is 6"),
        ("threads == 5", DIFFERENT, "holds", "threads is 5 (in run 2 of 3)"),
        ("threads < 6", DIFFERENT, "holds", "threads is 5 (in run 2 of 3)"),
        ("threads == 2", DIFFERENT, "refuted", "threads is 1–6 in 3 runs"),
        ("threads == 2", SAME, "refuted", "threads is 6"),
    ],
)
def test_sometimes_is_true_of_at_least_one_run(text: str, runs: list[Facts], verdict: str, reason: str) -> None:
    assert judge(parse(text, ("a", "b")), runs, sometimes=True) == Judgement(Verdict(verdict), reason)


@pytest.mark.parametrize("sometimes", [False, True])
@pytest.mark.parametrize(
    ("text", "runs", "reason"),
    [
        ("threads == 1", [], "no run reached its end"),
        ("a.json.fine", [run(a__json={"fine": 1})], "`a.json.fine` is a number (1), and not true or false"),
        ("requests == 1", ONE, "no fact 'requests' in this run; the facts are threads"),
        (
            "threads == 6 and a.thread == b.thread",
            [run(threads=6, a__thread=Unknown("Django's handler never saw the request"), b__thread="T1")],
            "`a.thread` is not known: Django's handler never saw the request",
        ),
    ],
)
def test_what_could_not_be_refuted_is_never_a_pass(
    text: str, runs: list[Facts], reason: str, sometimes: bool
) -> None:
    judgement = judge(parse(text, ("a", "b")), runs, sometimes=sometimes)
    assert judgement == Judgement(Verdict.UNPROVEN, reason)


STATUSES = [run(a__status=200), run(a__status=500), run(a__status=None)]
NONE = (
    "`a.status < 300` has no value where `a.status` is none; `a.status is None` asks for that (in run 3 of 3)"
)


@pytest.mark.parametrize(
    ("text", "runs", "sometimes", "verdict", "reason"),
    [
        ("a.status < 300", STATUSES, False, "refuted", "a.status is 500 (in run 2 of 3)"),
        ("a.status < 300", STATUSES, True, "holds", "a.status is 200 (in run 1 of 3)"),
        ("a.status < 300", [STATUSES[0], STATUSES[0], STATUSES[2]], False, "unproven", NONE),
        ("a.status < 300", [STATUSES[1], STATUSES[1], STATUSES[2]], True, "unproven", NONE),
    ],
)
def test_a_run_that_is_not_known_counts_unless_another_decides(
    text: str, runs: list[Facts], sometimes: bool, verdict: str, reason: str
) -> None:
    judgement = judge(parse(text, ("a", "b")), runs, sometimes=sometimes)
    assert judgement == Judgement(Verdict(verdict), reason)


def test_a_verdict_reads_as_its_word() -> None:
    assert [str(verdict) for verdict in Verdict] == ["holds", "refuted", "unproven"]
