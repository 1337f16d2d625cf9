"""A claim holds only if it does wherever Python's garbage collector had run."""

from typing import Any

import pytest

from sphinx_djconn.claims.expression import MOST_ALTERNATIVES, parse
from sphinx_djconn.claims.figures import Possible, figure_text
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.claims.verdict import judge
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown


def run(*groups: list[dict[str, Any]], **figures: Any) -> Facts:
    plain = {name.replace("__", "."): value for name, value in figures.items()}
    return Facts(plain, (), frozenset(), alternatives=tuple(map(tuple, groups)))


SESSIONS = [{"db.sessions": count, "db.lost": 7 - count} for count in range(2, 8)]
RUN = run(SESSIONS, db__sessions=7, db__lost=0, threads=6)
DEPENDS = (
    "depends on when Python's garbage collector runs: db.sessions is 2 to 7; choose `:garbage-collection: off` "
    "or `each-request`"
)


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        ("db.sessions >= 2", "holds", "db.sessions is 2 to 7"),
        ("db.sessions > 7", "refuted", "db.sessions is 2 to 7"),
        ("db.sessions == 7", "unproven", DEPENDS),
        ("db.sessions != 5", "unproven", DEPENDS),
        ("db.sessions in [2, 3, 4, 5, 6, 7]", "holds", "db.sessions is 2 to 7"),
        ("threads == 6", "holds", "threads is 6"),
        ("threads == 5 and db.sessions == 7", "refuted", "threads is 6, db.sessions is 2 to 7"),
        ("threads == 6 or db.sessions == 7", "holds", "threads is 6, db.sessions is 2 to 7"),
        # They vary together.
        ("db.sessions + db.lost == 7", "holds", "db.sessions is 2 to 7, db.lost is 0 to 5"),
        ("db.sessions == 2 and db.lost == 0", "refuted", "db.sessions is 2 to 7, db.lost is 0 to 5"),
    ],
)
def test_a_verdict_is_that_of_all_alternatives(text: str, verdict: str, reason: str) -> None:
    for sometimes in (False, True):
        assert judge(parse(text), [RUN], sometimes=sometimes) == (Verdict(verdict), reason, "")


def test_groups_vary_independently() -> None:
    facts = run([{"db.sessions": 1}], [{"db.lost": 1}], db__sessions=2, db__lost=2)
    assert parse("2 <= db.sessions + db.lost <= 4").evaluate(facts) is True
    truth = parse("db.sessions == db.lost").evaluate(facts)
    assert isinstance(truth, Unknown)
    assert "db.sessions is 1 to 2, db.lost is 1 to 2" in truth.reason


def test_an_alternative_that_is_not_known_leaves_a_claim_unproven() -> None:
    facts = run([{"db.sessions": Unknown("the server did not answer")}], db__sessions=2)
    truth = parse("db.sessions == 2").evaluate(facts)
    assert truth == Unknown("`db.sessions` is not known: the server did not answer")


def test_another_run_decides_in_spite_of_it() -> None:
    never = run(db__sessions=1)
    assert judge(parse("db.sessions == 7"), [RUN, never]).verdict is Verdict.REFUTED
    assert judge(parse("db.sessions == 7"), [RUN, run(db__sessions=7)]).verdict is Verdict.UNPROVEN
    assert judge(parse("db.sessions == 1"), [RUN, never], sometimes=True).verdict is Verdict.HOLDS


def test_equal_alternatives_are_tried_once() -> None:
    groups = [[{f"db.{name}": 1} for _ in range(1000)] for name in ("open", "lost", "closed", "peak")]
    figures = {f"db__{name}": 1 for name in ("open", "lost", "closed", "peak")}
    assert parse("db.open + db.lost + db.closed + db.peak == 4").evaluate(run(*groups, **figures)) is True


def test_too_many_alternatives_leave_a_claim_unproven() -> None:
    groups = [[{f"db.{name}": count} for count in range(200)] for name in ("open", "lost", "closed")]
    facts = run(*groups, db__open=0, db__lost=0, db__closed=0)
    assert 200**3 > MOST_ALTERNATIVES > 200
    truth = parse("db.open + db.lost + db.closed >= 0 and db.open == 1").evaluate(facts)
    assert isinstance(truth, Unknown)
    assert "in more ways than can be tried" in truth.reason
    assert parse("db.open < 200").evaluate(facts) is True


def test_a_figure_shows_its_bounds() -> None:
    assert parse("db.sessions").figure(RUN) == Possible((7, 2, 3, 4, 5, 6))
    assert figure_text([parse("db.sessions").figure(RUN)]) == "2 to 7"
    assert figure_text([parse("db.sessions * 2").figure(RUN)]) == "4 to 14"
    assert figure_text([parse("db.sessions > 2").figure(RUN)]) == "false or true"
    assert parse("db.sessions + db.lost").figure(RUN) == 7
    assert parse("threads").figure(RUN) == 6
