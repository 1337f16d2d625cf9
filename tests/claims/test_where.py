"""``:where:``, and claims about several cells."""

from itertools import product

import pytest

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import parse
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.claims.verdict import judge_cells
from sphinx_djconn.claims.where import select_cells
from sphinx_djconn.trace.facts import Facts

AXES = {
    "server": ["runserver", "waitress"],
    "conn_max_age": [None, 0, 60],
    "sequence": ["keep-alive", "new connections"],
}
CELLS = list(product(*AXES.values()))


def chosen(text: str) -> list[tuple[object, ...]]:
    return [cell for cell, truth in zip(CELLS, select_cells(text, AXES, CELLS), strict=True) if truth]


def facts(threads: int) -> Facts:
    return Facts({"threads": threads}, (), frozenset())


def test_an_axis_is_compared_with_a_value():
    assert len(chosen('server == "waitress"')) == 6
    assert {cell[1] for cell in chosen("conn_max_age == 0")} == {0}


def test_none_is_no_limit_and_not_zero():
    assert {cell[1] for cell in chosen("conn_max_age is None")} == {None}
    assert {cell[1] for cell in chosen("conn_max_age is not None and conn_max_age > 0")} == {60}


def test_comparisons_are_combined():
    found = chosen('server in ["runserver"] and not sequence == "keep-alive" and conn_max_age in (0, 60)')
    assert found == [("runserver", 0, "new connections"), ("runserver", 60, "new connections")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('servr == "x"', "no axis 'servr'; did you mean 'server'?"),
        ("server == waitress", "no axis 'waitress'; write '\"waitress\"' for the value"),
        ("conn_max_age == none", "no axis 'none'; write 'None' for the value"),
        ("conn-max-age == 0", "write 'conn_max_age' for 'conn-max-age'"),
        ("threads == 1", "no axis 'threads'; the axes are server, conn_max_age, sequence"),
        ('server == "waitres"', "the axis 'server' has no value \"waitres\"; did you mean 'waitress'?"),
        ('server in ["runserver", "x"]', "has no value \"x\"; the values of 'server' are runserver, waitress"),
        ("conn_max_age == 5", "has no value 5; the values of 'conn_max_age' are None, 0, 60"),
        ("conn_max_age > 0", "`conn_max_age > 0` has no value where `conn_max_age` is none"),
        ("True", "`True` names no axis; compare an axis with its values"),
        ("overlap(a, b)", "`overlap(a, b)` is not an axis"),
        ("server", "`server` is a text; compare it"),
        ('server == "waitress" and server == "runserver"', "chooses no cell; in the cells, server is"),
        ("server ==", "is not an expression"),
    ],
)
def test_what_chooses_nothing_says_what_there_is(text, told):
    with pytest.raises(ExpressionError) as caught:
        select_cells(text, AXES, CELLS)
    assert told in str(caught.value)


def test_a_claim_holds_where_every_run_of_every_cell_says_so():
    cells = {"server=a": [facts(1), facts(2)], "server=b": [facts(3)]}
    assert judge_cells(parse("threads >= 1"), cells) == (
        Verdict.HOLDS,
        "threads is 1–3 in 3 runs (in all 2 cells)",
        "",
    )


def test_the_first_cell_that_refutes_a_claim_is_named_and_the_others_are_counted():
    cells = {"server=a": [facts(1)], "server=b": [facts(1), facts(2)], "server=c": [facts(2)]}
    assert judge_cells(parse("threads == 1"), cells) == (
        Verdict.REFUTED,
        "threads is 2 (in server=b, run 2 of 2; false in 2 of 3 cells)",
        "server=b",
    )


def test_sometimes_needs_one_run_of_one_cell():
    cells = {"server=a": [facts(1)], "server=b": [facts(2)]}
    assert judge_cells(parse("threads == 2"), cells, sometimes=True) == (
        Verdict.HOLDS,
        "threads is 2 (in server=b; true in 1 of 2 cells)",
        "server=b",
    )
    assert judge_cells(parse("threads == 3"), cells, sometimes=True).verdict is Verdict.REFUTED


def test_one_cell_alone_is_named_and_not_counted():
    assert judge_cells(parse("threads == 1"), {"server=a": [facts(1)]}).reason == "threads is 1 (in server=a)"


def test_a_cell_without_a_run_leaves_a_claim_unproven():
    cells = {"server=a": [facts(1)], "server=b": []}
    found = judge_cells(parse("threads == 1"), cells)
    assert found == (Verdict.UNPROVEN, "no run in the cell server=b reached its end", "server=b")


def test_a_cell_without_a_run_does_not_hide_one_that_decides():
    cells = {"server=a": [], "server=b": [facts(2)]}
    assert judge_cells(parse("threads == 1"), cells).verdict is Verdict.REFUTED
    assert judge_cells(parse("threads == 2"), cells, sometimes=True).verdict is Verdict.HOLDS


def test_a_run_of_which_it_is_neither_true_nor_false_is_named():
    cells = {"server=a": [facts(1)], "server=b": [Facts({"threads": None}, (), frozenset())]}
    found = judge_cells(parse("threads > 0"), cells)
    assert found.verdict is Verdict.UNPROVEN
    assert found.reason.endswith("(in server=b)")


def test_no_cell_at_all_proves_nothing():
    assert judge_cells(parse("threads == 1"), {}).verdict is Verdict.UNPROVEN
