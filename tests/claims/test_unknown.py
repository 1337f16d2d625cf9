"""What a run cannot know decides nothing, and what it knows decides in spite of it: Kleene's logic.

None is something else: there was none. It takes part in no comparison, and can be asked for.
"""

from itertools import product
from typing import Any

import pytest

from sphinx_djconn.claims.expression import parse
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.claims.logic import conjunction, disjunction, negation
from sphinx_djconn.claims.verdict import judge
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown, with_unknown

LABELS = ("a", "b", "c")
NEVER_SEEN = Unknown("Django's handler never saw the request")
RUN = Facts(
    {
        "threads": 2,
        "tasks": Unknown("the server's peers are not known"),
        "statuses": [Unknown("nobody read the response"), 200],
        "a.thread": NEVER_SEEN,
        "b.thread": "T1",
        "c.thread": "T1",
        "a.db_connection": None,
        "b.db_connection": None,
        "c.db_connection": "C1",
        "a.status": None,
        "b.status": 200,
    },
    LABELS,
    frozenset({frozenset({"b", "c"}), frozenset({"b.view", "c.view"})}),
    {frozenset({"a", "b"}): Unknown("the end of a was not seen"), frozenset({"a.view", "b.view"}): NEVER_SEEN},
)
NONE_IS_NOT_COMPARED = (
    "`a.db_connection == b.db_connection` has no value where `a.db_connection` is none; "
    "`a.db_connection is None` asks for that"
)


def truth(text: str) -> Any:
    return parse(text, LABELS).evaluate(RUN)


@pytest.mark.parametrize(("one", "other"), [*product([True, False, NEVER_SEEN], repeat=2)])
def test_three_truths_are_combined_as_in_kleenes_logic(one: Any, other: Any) -> None:
    order = {False: 0, NEVER_SEEN: 1, True: 2}  # what is unknown lies between
    assert order[conjunction([one, other])] == min(order[one], order[other])
    assert order[disjunction([one, other])] == max(order[one], order[other])
    assert order[negation(one)] == 2 - order[one]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tasks == 1 and threads == 1", False),
        ("threads == 1 and tasks == 1", False),
        ("tasks == 1 or threads == 2", True),
        ("not (tasks == 1 or threads == 2)", False),
        ("1 <= tasks <= threads - 3", None),
        ("3 <= threads <= tasks", False),
        ("threads + tasks == 2", None),
        ("min(threads, tasks) == 2", None),
        ("-tasks == 1", None),
        # Lists with items that are not known.
        ("200 in statuses", True),
        ("500 in statuses", None),
        ("500 not in statuses", None),
        ("len(statuses) == 2", True),
        ("max(statuses) == 200", None),
        ("statuses == [200]", False),
        ("statuses == [500, 200]", None),
        ("statuses == [200, 500]", False),
        ("set(statuses) == {200}", None),
        ("set(statuses) == {201}", False),
        ("set(statuses) <= {500}", False),
        ("any([tasks == 1, threads == 2])", True),
        ("all([tasks == 1, threads == 1])", False),
        ("all([tasks == 1, threads == 2])", None),
        # Identities.
        ("a.thread == b.thread", None),
        ("a.thread != b.thread", None),
        ("a.thread is None", None),
        ("b.thread is None", False),
        ("c.thread in [a.thread, b.thread]", True),
        ("a.thread in [b.thread, c.thread]", None),
        ("len({a.thread, b.thread, c.thread}) == 1", None),
        ("len({b.thread, c.thread}) == 1", True),
        ("(a.thread, threads) == (b.thread, 1)", False),
        # There was none.
        ("a.db_connection is None", True),
        ("c.db_connection is not None", True),
        ("a.db_connection == b.db_connection", None),
        ("a.db_connection != b.db_connection", None),
        ("a.db_connection == c.db_connection", None),
        ("c.db_connection != a.db_connection", None),
        ("c.db_connection in [a.db_connection, c.db_connection]", True),
        ("c.db_connection in [a.db_connection, b.db_connection]", None),
        ("len({a.db_connection, b.db_connection}) == 1", None),
        ("a.status == 200", None),
        ("a.status != 200", None),
        ("a.status < 500", None),
        ("a.status in [200, 500]", None),
        ("a.status is None and b.status == 200", True),
        ("a.status is not None and a.status == 200", False),
        ("b.thread == c.thread and a.db_connection == b.db_connection", None),
        # Overlaps.
        ("overlap(b, c) and overlap(b.view, c.view)", True),
        ("overlap(a, c)", False),
        ("overlap(a, b)", None),
        ("overlap(b, a)", None),
        ("not overlap(a.view, b.view)", None),
        ("overlap(a, b) or overlap(b, c)", True),
    ],
)
def test_what_is_not_known_decides_nothing(text: str, expected: bool | None) -> None:
    found = truth(text)
    assert isinstance(found, Unknown) if expected is None else found is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tasks == 1", "`tasks` is not known: the server's peers are not known"),
        ("threads == 2 and a.thread == b.thread", f"`a.thread` is not known: {NEVER_SEEN.reason}"),
        ("a.thread is None", f"`a.thread` is not known: {NEVER_SEEN.reason}"),
        ("500 in statuses", "`statuses` is not known: nobody read the response"),
        ("overlap(a, b)", "`overlap(a, b)` is not known: the end of a was not seen"),
        ("overlap(b.view, a.view)", f"`overlap(b.view, a.view)` is not known: {NEVER_SEEN.reason}"),
        (
            "a.db_connection == b.db_connection",
            NONE_IS_NOT_COMPARED,
        ),
        (
            "c.db_connection in [b.db_connection]",
            "`c.db_connection in [b.db_connection]` compares with none: ask for that with `is None`",
        ),
    ],
)
def test_an_unproven_claim_names_the_part_and_why(text: str, reason: str) -> None:
    assert judge(parse(text, LABELS), [RUN]) == (Verdict.UNPROVEN, reason, "")


def test_a_verdict_in_spite_of_what_is_not_known_shows_it() -> None:
    judgement = judge(parse("threads == 2 or tasks == 1", LABELS), [RUN])
    assert judgement == (Verdict.HOLDS, "threads is 2, tasks is not known", "")


@pytest.mark.parametrize("count", range(1, 4))
def test_no_unknown_fact_makes_a_claim_hold(count: int) -> None:
    """Whatever is decided with unknown facts stays so for every value that these could have had."""
    texts = ["threads == 1", "not threads == 1", "tasks > 1", "threads != tasks", "1 in [threads, tasks]"]
    for chosen in product(texts, repeat=count):
        for word in ("and", "or"):
            expression = parse(f" {word} ".join(chosen))
            for known in ("threads", "tasks"):
                other = "tasks" if known == "threads" else "threads"
                for value in range(3):
                    facts = Facts({known: value, other: NEVER_SEEN}, (), frozenset())
                    found = expression.evaluate(facts)
                    possible = {
                        expression.evaluate(Facts({known: value, other: each}, (), frozenset()))
                        for each in range(3)
                    }
                    assert isinstance(found, Unknown) or possible == {found}


MASKED = "it was masked as a secret"
BODY = {
    "user": "<secret>",
    "users": [{"name": "ada", "key": "<secret>"}, {"name": "bob"}],
    "names": ["<secret>", "bob"],
    "number": 7,
}
PLACES = [[["user"], MASKED], [["users", 0, "key"], MASKED], [["names", 0], MASKED]]
NAMELESS = {"<secret>": 1, "other": 2}
RESPONSES = Facts(
    {
        "a.json": with_unknown(BODY, PLACES, "a.json"),
        "b.json": with_unknown(NAMELESS, [[["<secret>"], f"its name is not known: {MASKED}", True]], "b.json"),
        "c.json": with_unknown("<secret>", [[[], MASKED]], "c.json"),
    },
    LABELS,
    frozenset(),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.json.user == '<secret>'", None),
        ("a.json.user != 'ada'", None),
        ("a.json.user is None", None),
        ("'x' not in a.json.user", None),
        ("a.json.number == 7", True),
        ("len(a.json.users) == 2", True),
        ("'user' in a.json", True),
        ("'nobody' not in a.json", True),
        ("a.json == a.json", None),
        ("a.json != a.json", None),
        ("a.json.users == a.json.users", None),
        ("a.json.users != []", True),
        ("a.json == b.json", False),
        ("'bob' in a.json.names", True),
        ("'ada' not in a.json.names", None),
        ("a.json.names == ['ada', 'bob']", None),
        ("a.json.names == ['ada', 'eve']", False),
        ("set(a.json.names) == {'bob'}", None),
        ("min(a.json.names) == 'bob'", None),
        ("len(set(a.json.names)) == 2", None),
        ("b.json.other == 2", True),
        ("b.json.third is None", None),
        ("'other' in b.json", True),
        ("'third' in b.json", None),
        ("'third' not in b.json", None),
        ("len(b.json) == 2", True),
        ("c.json is not None", None),
        ("c.json == b.json", None),
        ("'x' in c.json", None),
    ],
)
def test_what_was_masked_in_a_response_decides_nothing_wherever_it_is(text: str, expected: bool | None) -> None:
    found = parse(text, LABELS).evaluate(RESPONSES)
    assert isinstance(found, Unknown) if expected is None else found is expected, found


def test_the_reason_names_what_was_masked() -> None:
    for text, path in (
        ("a.json.users == a.json.users", "a.json.users.0.key"),
        ("a.json.user == 'ada'", "a.json.user"),
        ("c.json == 1", "c.json"),
    ):
        judgement = judge(parse(text, LABELS), [RESPONSES])
        assert judgement.verdict is Verdict.UNPROVEN
        assert f"`{path}` is not known: {MASKED}" in judgement.reason
    judgement = judge(parse("'third' not in b.json", LABELS), [RESPONSES])
    assert f"its name is not known: {MASKED}" in judgement.reason


def test_names_that_are_not_known_may_be_any_name() -> None:
    other = RESPONSES._replace(figures={**RESPONSES.figures, "a.json": {"first": 1, "other": 2}})
    assert isinstance(parse("a.json == b.json", LABELS).evaluate(other), Unknown)
    other = RESPONSES._replace(figures={**RESPONSES.figures, "a.json": {"first": 1}})
    assert parse("a.json == b.json", LABELS).evaluate(other) is False
