"""What nothing could refute is an error, and what something could is none."""

import time
from itertools import product
from typing import Any

import pytest

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import parse
from sphinx_djconn.trace.facts import Facts

LABELS = ("a", "b", "c")


def is_refused(text: str, *, refuted: bool = False) -> bool:
    expression = parse(text, LABELS)
    try:
        expression.check(refuted=refuted)
    except ExpressionError:
        return True
    return False


ALWAYS = [
    # Counts and statuses.
    "threads >= 0",
    "threads > -1",
    "threads != -1",
    "not threads < 0",
    "min(threads, 99) <= 99",
    "max(threads, 3) >= 3",
    "threads == threads",
    "threads <= threads",
    "threads == 1 or threads != 1",
    "threads < 3 or threads > 1",
    "threads < 2 or threads == 2 or threads > 2",
    "threads <= requests or requests < threads",
    "threads <= max(threads, requests)",
    "not (threads < requests and requests < threads)",
    "threads == requests or threads < requests or threads > requests",
    "threads == 1 and errors >= 0",
    "errors >= 0 and threads == 1",
    "a.status >= 100",
    "a.status != 0",
    "a.status < 1000",
    "0 <= threads",
    "threads in [threads, 1]",
    "len([threads, errors]) == 2",
    "1.5 != threads",
    # Sums.
    "threads + 1 > 0",
    "threads + errors >= 0",
    "threads + 1 > threads",
    "threads + errors == errors + threads",
    "threads * 2 + 3 > 2",
    "threads - threads == 0",
    "1000000 + threads * 1000 > threads * 999",
    "max(statuses) - min(statuses) >= 0",
    # Truths, identities, None.
    "overlap(a, b) or not overlap(a, b)",
    "overlap(a, b) == overlap(b, a) or overlap(a, b) != overlap(b, a)",
    "a.thread == a.thread",
    "a.thread is None or a.thread is not None",
    "not (a.thread == b.thread and b.thread == c.thread and a.thread != c.thread)",
    "len({a.thread, b.thread}) <= 2",
    "len({a.thread, b.thread, c.thread}) >= 1",
    "a.thread in [a.thread, b.thread]",
    # Lists.
    "len(statuses) >= 0",
    "500 in statuses or 500 not in statuses",
    "statuses == statuses",
    "len(set(statuses)) <= len(statuses)",
    "set(statuses) == set(statuses)",
    "min(statuses) <= max(statuses)",
    "db.close_reasons == [] or len(db.close_reasons) > 0",
    # JSON.
    "a.json.x == a.json.x",
    "a.json.x is None or a.json.x is not None",
    "a.json.x == 1 or a.json.x != 1",
    "a.json or not a.json",
]


@pytest.mark.parametrize("text", ALWAYS)
def test_what_is_true_of_every_run_is_an_error(text: str) -> None:
    assert is_refused(text)
    assert is_refused(f"not ({text})", refuted=True) or " and " in text


NEVER = [
    "threads < 0",
    "threads == 1.5",
    "threads == 1 and errors < 0",
    "threads == 1 and threads == 2",
    "threads > requests and requests > threads",
    "a.status == 99",
    "a.thread != a.thread",
    "a.json.x != a.json.x",
    "overlap(a, b) and not overlap(a, b)",
    "threads + 1 == 0 and threads == 1",
    "threads == threads + 1",
    "threads + 1 <= 0",
    "200 in statuses and len(statuses) == 0",
]


@pytest.mark.parametrize("text", NEVER)
def test_what_is_false_of_every_run_cannot_be_declared_refuted(text: str) -> None:
    if text != "threads == threads + 1" and not text.startswith(
        "threads + 1 == 0"
    ):  # whether sums can be equal
        assert is_refused(text, refuted=True)
    assert not is_refused(text)


SOMETIMES = [
    "threads == 1",
    "threads != 1",
    "threads >= 1",
    "threads <= 1000000",
    "threads < 100 or requests > 100",
    "threads * 7 != 13 * requests + 1",
    "threads * threads != 1000001 * requests + 3",
    "threads - requests > -5",
    "threads - requests < 100000",
    "1000 * threads >= requests",
    "threads / requests == 1.5",
    "threads % 2 == 0",
    "not (threads == 6 and errors == 2 and requests == 9 and db.opened == 40)",
    "threads == requests == 6 and db.opened == 6 and db.reused == 0",
    "min(threads, 99) <= 98",
    "a.status == 200",
    "a.status > 100",
    "a.status < 999",
    "a.status != b.status",
    "a.status is not None",
    "a.thread == b.thread == c.thread",
    "len({a.thread, b.thread, c.thread}) <= 2",
    "not overlap(a, b)",
    "not (overlap(a, b) or overlap(b, c) or overlap(a, c))",
    "200 in statuses",
    "statuses == [200, 200, 500, 500, 200, 200]",
    "statuses != [200, 200, 500, 500, 200, 200]",
    "set(statuses) == {200}",
    "set(statuses) <= {200, 302, 404}",
    "len(set(statuses)) <= 2",
    "len(statuses) <= 100",
    "len(statuses) == requests",
    "len(statuses) < 5000",
    "max(statuses) < 500",
    "'age' not in db.close_reasons",
    "db.close_reasons == ['end of request']",
    "a.json.x >= -5",
    "a.json.x != 1",
    "a.json.x",
    "not a.json.open",
    "a.json.name == 'ada'",
    "a.json.name < 'm'",
    "'FATAL' in a.json.error",
    "'' in a.json.error or threads == 1",
    "a.json.met == ['ben']",
    "[a.json.early, b.json.early] == [None, None]",
    "set([a.json.early, b.json.early]) == {None}",
    "len(a.json.items) <= 3",
    "a.json.a - a.json.b == 6",
    "a.json == b.json",
    "a.json is None",
    "'key' in a.json",
]


@pytest.mark.parametrize("refuted", [False, True])
@pytest.mark.parametrize("text", SOMETIMES)
def test_what_a_run_could_refute_is_no_error(text: str, refuted: bool) -> None:
    assert not is_refused(text, refuted=refuted)


def test_a_range_is_one_comparison() -> None:
    assert not is_refused("0 <= threads < 3")
    assert is_refused("0 <= threads and threads < 3")
    assert is_refused("0 <= threads != -1")


@pytest.mark.parametrize(
    ("text", "refuted", "said"),
    [
        (
            "threads == 1 and errors >= 0",
            False,
            "`errors >= 0` is true whatever a run shows: errors is a count, 0 or more; nothing could refute it",
        ),
        (
            "a.status < 100",
            True,
            (
                "`a.status < 100` is false whatever a run shows: a.status is a status, 100 to 999 or None; "
                "nothing could make it hold"
            ),
        ),
        (
            "a.thread == a.thread",
            False,
            "is true whatever a run shows: a.thread is a thread or None; nothing could refute it",
        ),
    ],
)
def test_the_error_shows_why(text: str, refuted: bool, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, LABELS).check(refuted=refuted)
    assert said in str(caught.value)
    assert caught.value.pointed


@pytest.mark.parametrize("sign", ["<", "<=", "==", "!=", ">", ">="])
def test_two_comparisons_are_refused_only_if_no_counts_refute_them(sign: str) -> None:
    """What is refused is true of all small counts, and what is true of them all is refused."""
    for other, word, left, right in product(
        ["<", "==", ">="], ["and", "or"], ["threads", "2"], ["errors", "3"]
    ):
        text = f"threads {sign} {right} {word} {left} {other} errors"
        if left == "2" and "threads" not in text:
            continue
        expression = parse(text)
        truths = {
            expression.evaluate(Facts({"threads": one, "errors": two}, (), frozenset()))
            for one, two in product(range(7), repeat=2)
        }
        if word == "or":
            assert is_refused(text) == (truths == {True}), text
        assert is_refused(text, refuted=True) == (truths == {False}), text


@pytest.mark.parametrize(
    "text",
    [
        " or ".join(
            f"{fact} == {number}" for number, fact in enumerate(("threads", "errors", "requests") * 20)
        ),
        "not ("
        + " and ".join(f"db.{fact} == 7" for fact in ("opened", "closed", "open", "peak", "lost"))
        + ")",
        " or ".join(f"a.json.key_{number} == {number}" for number in range(60)),
        "len(statuses) == 900 or len(statuses) == 901 or 200 in statuses",
        " or ".join(f"threads != {number}000000" for number in range(50)),
    ],
)
def test_the_search_has_an_end(text: str) -> None:
    expression = parse(text, LABELS)
    begun = time.process_time()
    for refuted in (False, True):
        try:
            expression.check(refuted=refuted)
        except ExpressionError:
            assert text.startswith("threads != 0")
    assert time.process_time() - begun < 2


def test_a_claim_of_the_usual_size_is_checked_in_a_few_milliseconds() -> None:
    texts: list[Any] = ["threads == 6 and db.opened == 6 and db.abandoned == 6 and a.thread != b.thread"] * 20
    begun = time.process_time()
    for text in texts:
        parse(text, LABELS).check()
        parse(text, LABELS).check(refuted=True)
    assert (time.process_time() - begun) / len(texts) < 0.02
