"""Every name has a type, and what does not fit together is an error of the page, before any run."""

from itertools import product

import pytest

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import parse, parse_with
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.claims.names import FactNames, fact_names
from sphinx_djconn.claims.verdict import judge
from sphinx_djconn.claims.where import select_cells
from sphinx_djconn.trace.fact_table import FACTS, REQUEST_FACTS
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.types import COUNT, Type
from sphinx_djconn.trace.unknown import Unknown

LABELS = ("first", "second")


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text, LABELS).check()
    return caught.value


@pytest.mark.parametrize(
    ("text", "wrong", "hint", "column"),
    [
        # Those that were seen to hold.
        ('threads != "1"', "compares a count with a text", "write 1 without quotes", 11),
        ('"500" not in statuses', "looks for a text in a list of statuses", "write 500 without quotes", 0),
        (
            "first.thread != 1",
            "compares a thread with a number",
            "compare the threads of two requests, as in `first.thread == second.thread`",
            16,
        ),
        ('statuses != ["500"]', "compares a list of statuses with a list of texts", "without quotes", 12),
        ("threads is not None", "a count is never None", "remove it, or compare the value", 15),
        ("all(statuses)", "`statuses` is a list of statuses", "as in `set(statuses) == {200}`", 0),
        (
            'first.thread == "T1"',
            "compares a thread with a text",
            "compare the threads of two requests, as in `first.thread == second.thread`",
            16,
        ),
        ('first.status != "200"', "compares a status with a text", "write 200 without quotes", 16),
        # Identities compare with their own kind, and have no order.
        (
            "first.thread == first.process",
            "compares a thread with a process",
            "the threads of two requests",
            16,
        ),
        ("second.thread == 'T1'", "compares a thread", "as in `second.thread == first.thread`", 17),
        (
            "first.http_connection == 'H1'",
            "compares an HTTP connection with a text",
            "HTTP connections of two",
            25,
        ),
        ("first.thread < second.thread", "puts two threads in order", "write '==', '!=' or 'in'", 15),
        ("first.task >= second.task", "puts two tasks in order", "whether two tasks are the same", 14),
        ('first.thread in ["T1", "T2"]', "looks for a thread in a list of texts", "of two requests", 16),
        ('{first.thread} == {"T1"}', "a set of threads with a set of texts", "the threads of two requests", 18),
        ("first.json.x == first.thread", "compares JSON with a thread", "the threads of two requests", 16),
        ("max(first.thread, second.thread) == 1", "is given a thread", "as in `max(statuses)`", 0),
        ("first.thread + 1 == 2", "calculates with a thread and a number", "counts and numbers alone", 0),
        ("len(first.thread) == 2", "a thread, which has no length", "compare `first.thread` itself", 0),
        # None is asked for.
        ("threads == None", "a count is never None", "as in `threads == 1`", 11),
        ("first.db_connection == None", "which '==' does not do", "`first.db_connection is None`", 23),
        ("first.db_connection != None", "which '!=' does not do", "`first.db_connection is not None`", 23),
        ("None in [first.thread]", "which 'in' does not do", "write `… is None` for each value", 0),
        ("first.status < None", "which '<' does not do", "`first.status is None`", 15),
        ("statuses is None", "a list of statuses is never None", "as in `len(statuses) == 1`", 12),
        # Counts, statuses, numbers.
        ("threads == first.status", "compares a count with a status", "a status is a code such as 200", 11),
        ("threads + first.status == 1", "calculates with a count and a status", "counts and numbers", 0),
        ("threads == 6 == True", "compares a number with a truth", "write", 16),
        (
            "overlap(first, second) == 1",
            "compares a truth with a number",
            "`overlap(first, second)` or `not",
            26,
        ),
        ("overlap(first, second) < True", "puts two truths in order", "alone, or with 'and'", 25),
        ("threads == True", "compares a count with a truth", "on both sides", 11),
        # Lists.
        ("statuses == 200", "compares a list of statuses with a number", "`200 in statuses`, or a list of", 12),
        ("statuses == {200}", "compares a list of statuses with a set", "write `set(statuses)`", 12),
        ("statuses == (200, 200)", "compares a list of statuses with a tuple", "write […] for (…)", 12),
        ("statuses < [200]", "puts a list of statuses in order", "`len(statuses) < 1`", 11),
        ("200 in threads", "looks into a count", "write `threads == 200`", 0),
        ("first.status not in 200", "looks into a number", "write `200 != first.status`", 20),
        ("'a' in threads", "looks into a count", "write a list after it", 0),
        ('threads in [1, "2"]', '`[1, "2"]` holds a number and a text', "write values of one type", 11),
        ('first.status in (200, "304")', "looks for a status in a tuple", "a text is never a status", 16),
        ("(threads, errors) == (1, 'a')", "compares a tuple with a tuple", "write a tuple", 21),
        ("(threads, errors) == (1, 2, 3)", "compares a tuple with a tuple", "write a tuple", 21),
        ("{statuses} == {1}", "`{statuses}` is a set of lists", "write […] for {…}", 0),
        ("set([statuses]) == {1}", "`[statuses]` is a list of lists", "`set(statuses)`", 0),
        ("all([threads])", "is a list of counts", "as in `set([threads]) == {200}`", 0),
        ("all(threads)", "`threads` is a count", "as in `all([threads == 1, errors == 0])`", 0),
        ("max(threads) == 1", "is given a count", "`max(threads, 1)`", 0),
        ("max(threads, first.status) == 1", "is given a count and a status", "`max(statuses)`", 0),
        ("set(threads) == {1}", "`threads` is a count", "as in `set(statuses)`", 0),
        ("len(threads) == 1", "a count, which has no length", "compare `threads` itself", 0),
        ("first.json == {1}", "compares JSON with a set of numbers", "write", 14),
        ("-statuses == 1", "calculates with a list of statuses", "counts and numbers alone", 0),
        ("'a' * 3 == first.json.x", "calculates with a text and a number", "counts and numbers alone", 0),
        # Neither true nor false.
        ("threads", "`threads` is a count", "compare it, as in `threads == 1`", 0),
        ("threads + 1", "`threads + 1` is a count", "compare it, as in `threads + 1 == 1`", 0),
        ("first.thread", "`first.thread` is a thread", "as in `first.thread == second.thread`", 0),
        ("threads == 1 and statuses", "`statuses` is a list of statuses", "as in `len(statuses) == 1`", 17),
        ("not errors", "`errors` is a count", "compare it, as in `errors == 1`", 4),
    ],
)
def test_types_that_do_not_fit_are_told_with_the_place_and_what_to_write(
    text: str, wrong: str, hint: str, column: int
) -> None:
    error = refusal(text)
    assert wrong in error.message
    assert hint in error.hint
    assert error.pointed == f"{text}\n{' ' * column}^"


@pytest.mark.parametrize(
    "text",
    [
        "first.status == 200",
        "first.status in {200, 304} and 200 <= first.status < 400",
        "first.status // 100 == 2",
        "max(statuses) - min(statuses) == 300",
        "set(statuses) == {200} or set(statuses) <= {200, 302}",
        "statuses == []",
        "requests / threads == 1.5",
        "db.reused == requests - 1",
        "first.json.open - first.json.closed == db.opened",
        "first.json.names == ['ada'] and first.json.name == 'ada'",
        "first.json.row == (1, 'a')",
        "'FATAL' in first.json.error",
        "first.json.there",
        "first.json == second.json",
        "[first.json.a, second.json.a] == [None, 1]",
        "first.thread in [second.thread]",
        "(first.thread, first.process) == (second.thread, second.process)",
        "len({first.thread, second.thread}) == 1",
        "all([threads == 1, first.json.fine])",
        "overlap(first, second) == overlap(first.view, second.view)",
        "first.db_connection is None and second.thread is not None",
        "db.close_reasons == ['age'] and 'age' in db.close_reasons",
    ],
)
def test_types_that_fit_pass(text: str) -> None:
    parse(text, LABELS).check()


def test_the_example_is_about_the_requests_of_the_sequence() -> None:
    with pytest.raises(ExpressionError, match=r"as in `same.thread == other.thread`"):
        parse("same.thread == 'T1'", ("same", "other"))


def test_every_fact_has_a_type() -> None:
    for fact in (*FACTS.values(), *REQUEST_FACTS.values()):
        assert isinstance(fact.type, Type)
    assert str(FACTS["statuses"].type) == "list of statuses"
    assert str(REQUEST_FACTS["http_connection"].type) == "HTTP connection or None"


@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_of_a_run_is_never_none_and_no_text(fact: str) -> None:
    refusal(f"{fact} is None")
    refusal(f"{fact} == 'text'")


@pytest.mark.parametrize("fact", sorted({*REQUEST_FACTS} - {"json"}))
def test_every_fact_of_a_request_is_no_text(fact: str) -> None:
    refusal(f"first.{fact} == 'T1'")


# Facts by alias.

DATABASES = FactNames({"db.opened": COUNT}, {}, (), {"opened": COUNT, "closed": COUNT})
RUN = Facts({'db["default"].opened': 1, 'db["archive"].opened': 2, "db.opened": 3}, (), frozenset())


@pytest.mark.parametrize("written", ['db["archive"].opened', "db['archive'].opened", 'db[ "archive" ] .opened'])
def test_a_fact_of_one_database_has_its_alias_in_brackets(written: str) -> None:
    expression = parse_with(f"{written} == 2 and db.opened == 3", DATABASES)
    assert expression.evaluate(RUN) is True
    assert list(expression.values(RUN)) == ['db["archive"].opened', "db.opened"]


def test_an_alias_that_the_run_does_not_have_leaves_a_claim_unproven() -> None:
    judgement = judge(parse_with('db["archiv"].opened == 0', DATABASES), [RUN])
    assert judgement == (
        Verdict.UNPROVEN,
        "this run has no database 'archiv'; its databases are archive, default",
        "",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('db["archive"].openned == 1', "no fact 'db[\"archive\"].openned'; did you mean 'opened'?"),
        ('db["archive"] == 1', '`db["archive"]` is not a fact; the facts of db["archive"] are opened, closed'),
        ('db["archive"].opened.x == 1', "no fact 'db[\"archive\"].opened.x'"),
        ('db["archive"].opened == "1"', "compares a count with a text; write 1 without quotes"),
        ('statuses["a"].opened == 1', "`statuses` has no facts by name; write a name in brackets after `db`"),
        ("db[0].opened == 1", "`db[0].opened` is not a fact"),
        ("db[threads].opened == 1", "`db[threads].opened` is not a fact"),
    ],
)
def test_a_wrong_fact_of_a_database_is_told(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_with(text, DATABASES)
    assert said in str(caught.value)


# JSON has types that only a run shows.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("first.json.x == 1", "`first.json.x == 1` compares a text (1) with a number (1)"),
        ("first.json.x != 1", "`first.json.x != 1` compares a text (1) with a number (1)"),
        ("first.json.x < 1", "`first.json.x < 1` compares a text (1) with a number (1)"),
        ("first.json.yes == 1", "compares a truth (true) with a number (1)"),
        ("threads == first.json.x", "compares a number (1) with a text (1)"),
        ("first.json.list == 1", "compares a list (1) with a number (1)"),
        ("first.json.list == ['1']", "compares a number (1) with a text (1)"),
        ("'1' not in first.json.list", "compares a text (1) with a number (1)"),
        ("first.json.null == 1", "where `first.json.null` is none; `first.json.null is None` asks for that"),
        ("first.json.null != second.json.null", "where `first.json.null` is none"),
    ],
)
def test_json_of_another_type_decides_nothing(text: str, said: str) -> None:
    body = {"x": "1", "yes": True, "list": [1], "null": None}
    facts = Facts({"first.json": body, "second.json": body, "threads": 1}, LABELS, frozenset())
    for expression in (text, f"not ({text})"):
        truth = parse(expression, LABELS).evaluate(facts)
        assert isinstance(truth, Unknown)
        assert said in truth.reason


def test_bodies_are_compared_as_a_whole() -> None:
    first = {"a": [1, None], "b": {"c": "x"}}
    facts = Facts({"first.json": first, "second.json": {"b": {"c": "x"}, "a": [1, None]}}, LABELS, frozenset())
    assert parse("first.json == second.json", LABELS).evaluate(facts) is True
    other = facts._replace(figures={**facts.figures, "second.json": {"a": [1, 0], "b": {"c": "x"}}})
    assert parse("first.json == second.json", LABELS).evaluate(other) is False
    assert parse("first.json.a == [1, None]", LABELS).evaluate(other) is True


# ``:where:``, whose types are those of the axes' values.

AXES = {"server": ["runserver", "waitress"], "conn_max_age": [None, 0, 60], "checks": [True, False]}
CELLS = list(product(*AXES.values()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('conn_max_age == "0"', "compares a number with a text; write 0 without quotes"),
        ("server == 1", "compares a text with a number; write numbers, without quotes"),
        ("server is None", "a text is never None"),
        (
            "server == None",
            "the axis 'server' has no value None; the values of 'server' are runserver, waitress",
        ),
        ("checks == 1", "compares a truth with a number; write `checks` or `not checks` alone"),
        ("server == conn_max_age", "compares a text with a number"),
        ('server in ["runserver", 1]', "holds a text and a number"),
        ("conn_max_age", "`conn_max_age` is a number; compare it, as in `conn_max_age == 1`"),
        ('server == "waitress" or True', "`True` names no axis"),
        ('db["a"].opened == 1', '`db["a"].opened` is not an axis'),
        ("server.name == 'x'", "no axis 'server.name'"),
    ],
)
def test_axes_have_types(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        select_cells(text, AXES, CELLS)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("conn_max_age is None", 4),
        ("conn_max_age == None", 4),
        ("conn_max_age != 0", 8),
        ("conn_max_age in [None, 60]", 8),
        ("not checks", 6),
        ("checks == True and server != 'waitress'", 3),
    ],
)
def test_none_is_a_value_of_an_axis(text: str, count: int) -> None:
    assert sum(select_cells(text, AXES, CELLS)) == count


def test_an_axis_whose_values_have_several_types_is_compared_with_each() -> None:
    axes = {"age": ["none", 0]}
    assert select_cells('age == "none"', axes, [["none"]]) == [True]
    with pytest.raises(ExpressionError, match="compares a number"):
        select_cells('age == "none"', axes, [["none"], [0]])


def test_labels_decide_which_names_there_are() -> None:
    assert fact_names(("first",)).name(("first", "thread")).text == "first.thread"
    with pytest.raises(ExpressionError):
        fact_names(()).name(("first", "thread"))
