"""What an expression can say, and what it can reach: facts, and nothing else."""

import pickle
import warnings
from typing import Any

import pytest

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import Expression, parse, parse_with
from sphinx_djconn.claims.names import FactNames
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.types import COUNT
from sphinx_djconn.trace.unknown import Unknown

PAYLOAD = {
    "user": {"name": "ada", "roles": ["admin", "staff"]},
    "count": 3,
    "fresh": True,
    "é": 1,
    "none": None,
}
RUN = Facts(
    {
        "threads": 6,
        "requests": 6,
        "errors": 0,
        "statuses": [200, 200, 200, 200, 200, 500],
        "http.connections": 1,
        "db.open": 2,
        "db.opened": 1,
        "db.closed": 0,
        "first.thread": "T1",
        "first.status": 200,
        "first.db_connection": None,
        "first.json": PAYLOAD,
        "second.thread": "T1",
        "second.status": None,
        "second.db_connection": "C1",
        "second.json": None,
        "third.thread": "T2",
    },
    ("first", "second", "third"),
    frozenset({frozenset({"first", "second"})}),
)


LABELS = ("first", "second", "third")


def read(text: str) -> Expression:
    return parse(text, LABELS)


def check(text: str, labels: tuple[str, ...] = ("first", "second")) -> None:
    parse(text, labels).check()


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("threads == 6", True),
        ("threads != 6", False),
        ("1 <= db.opened < threads", True),
        ("1 < db.opened < 1 / 0", False),
        ("1 == db.opened == threads", False),
        ("first.thread == second.thread and db.opened == 1", True),
        ("first.thread == third.thread or db.opened == 2", False),
        ("not first.thread == third.thread", True),
        ("500 in statuses", True),
        ("404 not in statuses", True),
        ("first.db_connection is None", True),
        ("second.db_connection is not None", True),
        ("first.status in {200, 304}", True),
        ("first.status in [500]", False),
        ("(first.thread, db.opened) == (second.thread, 1)", True),
        ("set(statuses) == {200, 500}", True),
        ("set() == set(statuses)", False),
        ("[] == statuses", False),
        ("len(statuses) == requests", True),
        ("max(statuses) - min(statuses) == 300", True),
        ("max(db.opened, threads) == 6", True),
        ("all([threads == 6, db.opened == 1])", True),
        ("any([threads == 5, db.opened == 1])", True),
        ("requests / threads == 1.0", True),
        ("requests // 4 + requests % 4 * 2 == 5", True),
        ("-threads == -6", True),
        ("overlap(first, second)", True),
        ("overlap(second, first) and not overlap(first, third)", True),
        ("first.json.user.name == 'ada'", True),
        ("'admin' in first.json.user.roles", True),
        ("first.json.fresh", True),
        ("first.json.é == 1 and threads == 6", True),
        ("first.json.count + 0.5 == 3.5", True),
        ("second.json is not None and second.json.user == 'ada'", False),
        ("second.json is None or second.json.user == 'ada'", True),
        ("first.json is not None and threads == 6", True),
        ("overlap(first, second) == True", True),
        ("first.thread in [second.thread, third.thread]", True),
        ("len({first.thread, second.thread, third.thread}) == 2", True),
        ("set(statuses) <= {200, 302, 500}", True),
        ("set(statuses) < {200, 500}", False),
        ("[200, 200, 200, 200, 200, 500] == statuses", True),
        ("[first.json.none, first.json.count] == [None, 3]", True),
        ("[first.json.none, first.json.count] == [None, 4]", False),
        ("set([first.json.none, second.json]) == {None}", True),
        ("first.json.user.roles == ['admin', 'staff']", True),
        ("first.status // 100 == 2", True),
        ("(threads\n   == 6)\n  and db.opened == 1\n", True),
        ("first.json.none is None", True),
    ],
)
def test_it_is_true_or_false_of_the_facts(text: str, value: bool) -> None:
    assert read(text).evaluate(RUN) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("threads", 6),
        ("first.thread", "T1"),
        ("statuses", [200, 200, 200, 200, 200, 500]),
        ("requests / db.open", 3.0),
        ("first.json.user", PAYLOAD["user"]),
        ("first.db_connection", None),
        ("set(statuses)", {200, 500}),
        ("(threads, -1)", (6, -1)),
        ("threads == 6", True),
        ("[threads, 1]", (6, 1)),
        ("[None, threads]", (None, 6)),
    ],
)
def test_a_figure_may_be_of_any_kind(text: str, value: Any) -> None:
    assert read(text).figure(RUN) == value


# What is refused before anything is known of a run.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the expression is empty; write one, as in `threads == 1`"),
        (" \n ", "the expression is empty"),
        ("threads =", "`threads =` is not an expression: invalid syntax, at column"),
        ("threads = 1", "write '==' for '='"),
        ("threads == 1 && errors == 0", "write 'and' for '&&'"),
        ("threads == 1 || errors == 0", "write 'or' for '||'"),
        ("threads <> 1", "write '!=' for '<>'"),
        ("!overlap(a, b)", "write 'not' for '!'"),
        ("threads == ", "use facts, numbers, texts, comparisons, arithmetic"),
        ("(threads == 1", "is not an expression: '(' was never closed, at column 1"),
        ("threads) == (1", "is not an expression: unmatched ')'"),
        ("threads == 1; errors == 0", "is not an expression"),
        ("import os", "is not an expression"),
        ("threads == '\\d'", "is not an expression: "),
        ("threads == 1or errors == 0", "is not an expression: "),
        ("threads == 1 # and errors == 0", "a comment would hide what follows it"),
        ("threads == 1 # one\nand errors == 0", "a comment would hide what follows it"),
        ("threads == '\x00'", "is not an expression: "),
        ("threads == '\ud800'", "is not an expression: Python cannot read this text"),
        ("[t for t in statuses]", "a comprehension is not allowed in an expression: `[t for t in"),
        ("{t for t in statuses}", "a comprehension is not allowed"),
        ("{t: t for t in statuses}", "a comprehension is not allowed"),
        ("all(t == 200 for t in statuses)", "a comprehension is not allowed"),
        ("lambda: threads", "a lambda is not allowed"),
        (
            "statuses[0] == 200",
            "a subscript is not allowed in an expression: `statuses[0]`; use facts",
        ),
        ("statuses[:1] == [200]", "a subscript is not allowed"),
        ("f'{threads}' == '1'", "an f-string is not allowed"),
        ("(t := threads) == 1", "an assignment is not allowed"),
        ("max(*statuses) == 200", "'*' before a value is not allowed"),
        ("[*statuses] == [200]", "'*' before a value is not allowed"),
        ("max(**statuses) == 200", "'max' takes no keyword arguments; write the values alone"),
        ("max(statuses, default=1) == 200", "'max' takes no keyword arguments"),
        ("{'a': threads} == 1", "a dict is not allowed"),
        ("threads if errors else 1", "'if … else' is not allowed"),
        ("(yield)", "'yield' is not allowed"),
        ("(await threads)", "'await' is not allowed"),
        ("threads ** 2 == 4", "'**' is not allowed in an expression: `threads ** 2`; use facts"),
        ("threads << 9 == 1", "'<<' is not allowed"),
        ("threads >> 9 == 1", "'>>' is not allowed"),
        ("threads @ errors", "'@' is not allowed"),
        ("threads ^ errors", "'^' is not allowed"),
        ("(threads == 1) & (errors == 0)", "'&' is not allowed in an expression"),
        ("(threads == 1) & (errors == 0)", "; write 'and'"),
        ("(threads == 1) | (errors == 0)", "; write 'or'"),
        ("~threads == 1", "'~' is not allowed in an expression: `~threads`; write 'not'"),
        ("+threads == 1", "'+' as a sign is not allowed"),
        ("threads == 1j", "this is not allowed in an expression: `1j`"),
        ("threads == b'1'", "this is not allowed in an expression: `b'1'`"),
        ("threads == ...", "this is not allowed in an expression: `...`"),
        ("threads is 1", "'is' compares with None alone: `threads is 1`; use '=='"),
        (
            "threads is not errors",
            "'is not' compares with None alone: `threads is not errors`; use '!='",
        ),
        ("threads is True", "use '=='"),
        ("None is threads", "use '=='"),
        ("threads == 1 is None is errors", "use '=='"),
        ("len == 3", "'len' is a function; call it, as in `len(…)`"),
        ("len.thread == 3", "'len' is a function"),
        ("overlap == 3", "'overlap' is a function"),
        ("lenn(statuses) == 3", "no function 'lenn'; did you mean 'len'?"),
        (
            "open('x') == 3",
            "no function 'open'; the functions are all, any, len, max, min, set, overlap",
        ),
        ("__import__('os') == 3", "no function '__import__'"),
        ("eval('1') == 1", "no function 'eval'"),
        ("getattr(threads, 'real') == 1", "no function 'getattr'"),
        ("sum(statuses) == 3", "no function 'sum'"),
        ("first.json.get('a') == 3", "`first.json.get` cannot be called; use facts"),
        ("(lambda: 1)() == threads", "`lambda: 1` cannot be called"),
        ("len()() == 1", "`len()` cannot be called"),
        ("len() == 1", "'len' is given 0 values; write it as in `len(statuses)`"),
        ("len(statuses, 1) == 1", "'len' is given 2 values"),
        ("set(1, 2) == 1", "'set' is given 2 values"),
        ("max() == 1", "'max' is given 0 values"),
        (
            "overlap(first)",
            "`overlap(first)` does not name two requests; write two different labels",
        ),
        ("overlap(first, first)", "does not name two requests"),
        ("overlap(first, 'second')", "does not name two requests"),
        ("overlap(first.thread, second)", "does not name two requests or two views"),
        (
            "overlap(first.view, second)",
            "write it as in `overlap(first, second)` or `overlap(first.view, second",
        ),
        ("overlap(first.view, first.view)", "does not name two requests"),
        ("overlap(first, second, third)", "does not name two requests"),
        ("'a'.upper == 1", "`'a'.upper` is not a fact; write a dot only within the name of a fact"),
        ("().__class__.__bases__ == threads", "`().__class__.__bases__` is not a fact"),
        ("''.__class__.__mro__ == threads", "is not a fact"),
        ("len(statuses).real == 1", "`len(statuses).real` is not a fact"),
        (
            "threads == 1000000000000000000",
            "the number 1000000000000000000 is too large; write one",
        ),
        ("threads == 0x" + "f" * 1900, "is too large"),
        ("threads == " + "9" * 1900, "is too large"),
    ],
)
def test_what_it_cannot_be_is_told(text: str, said: str) -> None:
    error = refusal(text)
    assert said in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "threads == 1" + " " * 10 + "or threads == 1" * 66_667,
            "characters, more than 2000",
        ),
        ("x" * 1_000_000, "the expression has 1000000 characters, more than 2000; split the claim"),
        ("(" * 900 + "threads" + ")" * 900, "is not an expression: too many nested parentheses"),
        (
            "[" * 150 + "threads" + "]" * 150,
            "the expression has more than 60 levels; split the claim",
        ),
        ("not " * 450 + "threads", "the expression has more than 60 levels"),
        ("-" * 1900 + "threads", ""),
        ("first.json" + ".a" * 900, "the expression has more than 60 levels"),
        ("+".join(["threads"] * 200), "the expression has more than 60 levels"),
    ],
)
def test_size_and_depth_have_limits(text: str, said: str) -> None:
    assert said in str(refusal(text))


def test_two_thousand_characters_are_read() -> None:
    text = "threads ==" + " " * 1989 + "6"
    assert len(text) == 2000
    assert read(text).evaluate(RUN) is True


def test_fifty_levels_are_read() -> None:
    assert read("not " * 50 + "threads == 6").evaluate(RUN) is True


def test_python_is_asked_for_no_warnings_and_its_filters_are_put_back() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        refusal("threads == '\\d'")
        assert list(warnings.filters) == before
    assert not seen


@pytest.mark.parametrize(
    ("text", "pointed"),
    [
        ("threads == lenn(1)", "           ^"),
        ("first.json.é == 'é' and statuses[0]", "                        ^"),
        ("threads == 1 # x", "             ^"),
    ],
)
def test_an_error_points_into_the_text(text: str, pointed: str) -> None:
    assert refusal(text).pointed == f"{text}\n{pointed}"


def test_of_many_names_forty_are_told() -> None:
    names = [f"fact_{number:02}" for number in range(41)]
    with pytest.raises(ExpressionError) as caught:
        parse_with("xyzzy == 1", FactNames(dict.fromkeys(names, COUNT), {}, (), {}))
    assert str(caught.value).endswith("fact_38, fact_39 and 1 more")
    with pytest.raises(ExpressionError) as caught:
        parse_with("xyzzy == 1", FactNames(dict.fromkeys(names[:40], COUNT), {}, (), {}))
    assert str(caught.value).endswith("fact_38, fact_39")


def test_an_error_without_a_place_points_nowhere() -> None:
    assert refusal("x" * 2001).pointed == ""


# What is refused by names alone.


@pytest.mark.parametrize(
    "text",
    [
        "threads == 1",
        "first.thread == second.thread and db.opened == 1",
        "first.json.user.name.anything == 1",
        "overlap(first, second)",
        "not overlap(first, second)",
        "first.json.fresh",
        "1 <= threads <= 2",
        "overlap(first.view, second.view)",
        "len(set(statuses)) == 1",
        "any([threads == 1, errors == 2])",
        "first.json is not None and first.json.__class__ == 1",
    ],
)
def test_right_names_pass(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db.openned == 1", "no fact 'db.openned'; did you mean 'db.opened'?"),
        ("thread == 1", "no fact 'thread'; did you mean 'threads'?"),
        ("Threads == 1", "no fact 'Threads'; did you mean 'threads'?"),
        ("threads == 1 or db.openned == 1", "no fact 'db.openned'"),
        ("threads == 1 and len([db.openned]) == 1", "no fact 'db.openned'"),
        (
            "threads == xyzzy",
            "no fact 'xyzzy'; the facts are requests, responses, errors, statuses,",
        ),
        ("db.xyzzy == 1", "no fact 'db.xyzzy'; the facts are db.wrappers, db.opened,"),
        ("db == 1", "no fact 'db'; the facts are db.wrappers, db.opened,"),
        ("http == 1", "no fact 'http'; the facts are http.connections"),
        ("opened == 1", "no fact 'opened'; did you mean 'db.opened'?"),
        ("db.opened.real == 1", "'db.opened' has no 'real'; write 'db.opened' alone"),
        (
            "threads.__class__.__base__ == 1",
            "'threads' has no '__class__.__base__'; write 'threads'",
        ),
        ("__builtins__ == 1", "no fact '__builtins__'"),
        (
            "first == second",
            "'first' is a label, not a fact; name a fact of that request, as in 'first.th",
        ),
        ("len(first) == 1", "'first' is a label, not a fact"),
        ("first.thred == 'T1'", "no fact 'first.thred'; did you mean 'first.thread'?"),
        (
            "first.xyzzy == 'T1'",
            "no fact 'first.xyzzy'; the facts of a request are thread, greenlet,",
        ),
        (
            "first.thread.name == 'T1'",
            "'first.thread' has no 'name'; only 'first.json' can be looked into",
        ),
        ("first.__class__ == 1", "no fact 'first.__class__'"),
        ("frist.thread == 'T1'", "no step has the label 'frist'; did you mean 'first'?"),
        ("zz.thread == 'T1'", "no step has the label 'zz'; the labels are first, second"),
        ("overlap(first, secnd)", "no step has the label 'secnd'; did you mean 'second'?"),
        ("overlap(xyzzy, second)", "no step has the label 'xyzzy'; the labels are first, second"),
        ("1 == 1", "`1 == 1` is the same in every run: nothing could refute it; compare facts"),
        ("True", "`True` is the same in every run"),
        ("set() == {1}", "`set() == {1}` is the same in every run"),
        ("threads == 1 or True", "`True` is the same in every run"),
        ("first.status == 200 or 304", "`304` is the same in every run"),
        ("threads == 1 and not 1 == 2", "`not 1 == 2` is the same in every run"),
        ("threads == 1 or 1 < 2", "`1 < 2` is the same in every run"),
    ],
)
def test_a_wrong_name_answers_with_the_nearest_right_one(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(text)
    assert said in str(caught.value)
    assert caught.value.column is not None


@pytest.mark.parametrize("text", ["first.thread == 'T1'", "overlap(first, second)"])
def test_without_labels_the_step_is_told_how_to_get_one(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(text, labels=())
    assert str(caught.value) == ("no step has the label 'first'; end the step that you mean with 'as first'")


# What only the facts of a run show.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("first.json", "`first.json` is an object ({"),
        ("not first.json.count", "`first.json.count` is a number (3), and not true or false"),
        ("threads == 5 or first.json.user.name", "`first.json.user.name` is a text (ada), and not true"),
        (
            "second.status < 300",
            "`second.status < 300` has no value where `second.status` is none; `second.status is None` asks",
        ),
        (
            "first.json.user < db.opened",
            'compares an object ({"name":"ada","roles":["admin","staff"]}) with a number (1)',
        ),
        ("200 in first.json.count", "`200 in first.json.count` compares a number (200) with a number (3)"),
        (
            "requests / errors == 1",
            "`requests / errors` has no value where `requests` is 6 and `errors` is 0",
        ),
        ("requests % errors == 1", "`requests % errors` has no value"),
        ("second.status + 1 == 1", "`second.status + 1` has no value where `second.status` is none"),
        ("first.json.user + 1 == 1", "`first.json.user + 1` has no value where `first.json.user` is {"),
        ("-first.json.user.name == 1", "`-first.json.user.name` has no value where"),
        ("len(first.json.count) == 1", "`len(first.json.count)` has no value where `first.json.count` is 3"),
        ("max(first.json.user) == 1", "`max(first.json.user)` has no value"),
        ("max(first.json.count, first.json.user.name) == 1", "has no value where `first.json.count` is 3 and"),
        ("min([]) == threads", "`min([])` has no value"),
        ("all(first.json.user.roles)", "`all(first.json.user.roles)` has no value where"),
        ("set(first.json.user) == {'a'}", "`set(first.json.user)` has no value where"),
        ("set([first.json.user]) == {'a'}", "`set([first.json.user])` has no value where"),
        ("1 / 0 == threads", "`1 / 0` has no value"),
        (
            "first.json.__class__ == 1",
            "'first.json' has no key '__class__'; the keys of 'first.json' are",
        ),
        ("first.json.usr == 1", "'first.json' has no key 'usr'; did you mean 'user'?"),
        ("first.json.user.nam == 1", "'first.json.user' has no key 'nam'; did you mean 'name'?"),
        ("first.json.user.name.upper == 1", "'first.json.user.name' has no key 'upper', it is ada"),
        (
            "first.json.user.roles.append == 1",
            "'first.json.user.roles' has no key 'append', it is admin",
        ),
        ("second.json.user == 1", "'second.json' has no key 'user', it is none"),
        ("db.sessions == 1", "there is no figure for 'db.sessions' in this run: SQLite has no sessions; give"),
        ("greenlets == 1", "no fact 'greenlets' in this run; the facts are threads, requests"),
    ],
)
def test_what_is_neither_true_nor_false_is_told_with_its_values(text: str, said: str) -> None:
    truth = read(text).evaluate(RUN)
    assert isinstance(truth, Unknown)
    assert said in truth.reason
    assert "\n" not in truth.reason


def test_a_request_that_a_run_does_not_have_overlaps_nothing() -> None:
    truth = parse("overlap(first, fourth)", ("first", "fourth")).evaluate(RUN)
    assert isinstance(truth, Unknown)
    assert truth.reason == "no request is labelled 'fourth' in this run; the labels are first, second, third"


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9 == threads",
        "9**9**9**9 == threads",
        "().__class__.__bases__[0].__subclasses__() == threads",
        "first.__class__.__init__.__globals__ == threads",
        "threads.__class__ == threads",
        "'a' * 10**9 == first.thread",
        "'a' * 999999999 == first.thread",
        "[0] * 999999999 == statuses",
        "(0,) * threads == statuses",
        "'a' + 'a' == first.thread",
        "[1] + [1] == statuses",
        "'%999999999d' % 1 == first.thread",
        "*".join(["999999999999999999"] * 50) + " == threads",
        "1e308 * 10 // 1 % 0 == threads",
        "first.json.count < first.json",
        "__import__('os').system('true') == threads",
        "open('/etc/passwd') == threads",
        "first.json.user.__getitem__('name') == 'ada'",
        "len.__self__ == threads",
        "'{0.__class__}'.format(threads) == 1",
    ],
)
def test_a_hostile_expression_reaches_nothing(text: str) -> None:
    with pytest.raises(ExpressionError):
        raise ExpressionError(read(text).evaluate(RUN).reason, "it has no value")


def test_an_integer_out_of_json_cannot_grow() -> None:
    facts = Facts({"first.json": {"n": 10**4000}}, ("first",), frozenset())
    truth = read("*".join(["first.json.n"] * 50) + " == 1").evaluate(facts)
    assert isinstance(truth, Unknown)
    assert "has no value" in truth.reason
    assert read("first.json.n > 1").evaluate(facts) is True


def test_json_nested_deeper_than_python_follows_has_no_value() -> None:
    deep: list[Any] = []
    other: list[Any] = []
    for _ in range(100_000):
        deep, other = [deep], [other]
    facts = Facts({"a.json": deep, "b.json": other}, ("a", "b"), frozenset())
    truth = parse("a.json == b.json", ("a", "b")).evaluate(facts)
    assert truth == Unknown("`a.json == b.json` compares values that are nested too deeply")


# The facts that an expression mentions.


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("db.opened == 1 and threads == 6", {"db.opened": 1, "threads": 6}),
        ("threads == 6 or threads < db.opened", {"threads": 6, "db.opened": 1}),
        ("len(statuses) == requests", {"statuses": RUN.figures["statuses"], "requests": 6}),
        (
            "first.json.user.name == 'ada' and first.thread == second.thread",
            {"first.json.user.name": "ada", "first.thread": "T1", "second.thread": "T1"},
        ),
        (
            "overlap(second,first) and not overlap( first, third )",
            {"overlap(second, first)": True, "overlap(first, third)": False},
        ),
        ("second.json is not None and second.json.user == 1", {"second.json": None}),
    ],
)
def test_the_facts_mentioned_are_told_in_the_order_of_the_text(text: str, values: dict[str, Any]) -> None:
    found = read(text).values(RUN)
    assert found == values
    assert list(found) == list(values)


def test_an_expression_is_a_value() -> None:
    expression = read(" overlap(first, second)\n  and len(['é']) != threads ")
    assert expression.text == "overlap(first, second) and len(['é']) != threads"
    assert expression == read(expression.text)
    assert hash(expression) == hash(read(expression.text))
    assert "root" not in repr(expression)


def test_an_error_can_be_sent() -> None:
    error = refusal("threads == lenn(1)")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.pointed) == (str(error), error.pointed)
