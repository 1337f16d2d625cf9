"""What is said of a claim in a row of releases."""

from collections.abc import Sequence

import pytest

from sphinx_djconn.claims.bisect import Direction, ReleaseSearch
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.claims.release_verdict import ReleaseResult, ReleaseVerdict, release_verdict

NAMES = tuple(f"2.{each}" for each in range(30))
SINCE, UNTIL = Direction.SINCE, Direction.UNTIL
WORDS = {True: "threads is 1", False: "threads is 6", None: "there is no Python 3.6 here"}


def found(
    truths: Sequence[bool | None], declared: int | None = None, direction: Direction = SINCE
) -> ReleaseVerdict:
    """Return what a search in releases that say ``truths`` comes to."""
    search = ReleaseSearch(len(truths), direction, declared)
    told: dict[int, ReleaseResult] = {}
    while wanted := search.next_releases({each: one.truth for each, one in told.items()}):
        told |= {
            each: ReleaseResult(truths[each], WORDS[truths[each]], truths[each] is not None) for each in wanted
        }
    return release_verdict(search, NAMES, told)


def row(first: int, count: int = 6) -> list[bool | None]:
    return [each >= first for each in range(count)]


def test_a_declaration_that_is_right_holds():
    result = found(row(2), 2)
    assert result.judgement == (
        Verdict.HOLDS,
        "false with 2.1 (threads is 6), true with 2.2 (threads is 1); all 6 releases were run",
        "",
    )
    assert (result.summary, result.before, result.after, result.missing) == ("since 2.2", 1, 2, ())


def test_one_that_is_wrong_is_refuted_with_what_was_found():
    result = found(row(3), 2)
    assert result.judgement.verdict is Verdict.REFUTED
    assert result.judgement.reason == (
        "declared since 2.2, found since 2.3: false with 2.2 (threads is 6), true with 2.3 (threads is 1); "
        "all 6 releases were run"
    )


def test_until_names_the_last_release_of_which_it_is_true():
    truths = [not truth for truth in row(3) if truth is not None]
    assert found(truths, 3, UNTIL).summary == "until 2.2"
    assert found(truths, 3, UNTIL).judgement.verdict is Verdict.HOLDS
    assert found(truths, 2, UNTIL).judgement.reason.startswith(
        "declared until 2.1, found until 2.2: true with 2.2 (threads is 1), false with 2.3 (threads is 6); "
    )


def test_without_a_declaration_it_is_found():
    assert found(row(4)).summary == "since 2.4"
    assert found(row(4)).judgement.verdict is Verdict.HOLDS


@pytest.mark.parametrize("direction", Direction)
def test_what_is_true_throughout_holds_where_nothing_is_declared(direction: Direction):
    result = found([True] * 6, None, direction)
    assert (result.judgement.verdict, result.summary) == (Verdict.HOLDS, "true throughout")
    assert result.judgement.reason == "true with 2.0 to 2.5 (threads is 1); all 6 releases were run"
    assert result.before is result.after is None


@pytest.mark.parametrize("direction", Direction)
def test_what_is_true_of_none_is_refuted(direction: Direction):
    result = found([False] * 6, None, direction)
    assert (result.judgement.verdict, result.summary) == (Verdict.REFUTED, "false throughout")


@pytest.mark.parametrize("truth", [True, False])
def test_a_declaration_of_what_never_changes_is_refuted(truth: bool):
    result = found([truth] * 6, 2)
    assert result.judgement.verdict is Verdict.REFUTED
    assert f"declared since 2.2, found {str(truth).lower()} throughout: " in result.judgement.reason


@pytest.mark.parametrize("declared", [None, 2])
def test_a_change_the_other_way_is_refuted(declared: int | None):
    result = found([True, True, False, False], declared)
    assert (result.judgement.verdict, result.summary) == (Verdict.REFUTED, "until 2.1")


@pytest.mark.parametrize("declared", [None, 2])
def test_more_than_one_change_is_refuted_and_told(declared: int | None):
    result = found([False, False, True, False, True, True], declared)
    assert result.judgement.verdict is Verdict.REFUTED
    assert result.summary == "more than one change"
    assert (
        "it changes more than once: false with 2.0 and 2.1, true with 2.2, false with 2.3, "
        "true with 2.4 and 2.5" in result.judgement.reason
    )


def test_it_is_said_how_many_releases_were_run():
    assert found(row(11, 30), 11).judgement.reason.endswith(
        "; 4 of 30 releases were run; of the others, the order is taken for granted"
    )


def test_a_change_between_releases_that_cannot_be_run_is_told_as_that():
    truths: list[bool | None] = [False, False, None, None, True]
    result = found(truths)
    assert result.judgement.verdict is Verdict.HOLDS
    assert result.summary == "since a release between 2.1 and 2.4"
    assert result.judgement.reason == (
        "false with 2.1 (threads is 6), true with 2.4 (threads is 1); 2.2 and 2.3 could not be run; "
        "3 of 5 releases were run; 2 could not be run"
    )


def test_a_declaration_whose_neighbour_cannot_be_run_is_unproven():
    for truths in ([False, None, True, True], [False, False, None, True]):
        result = found(truths, 2)
        assert result.judgement.verdict is Verdict.UNPROVEN
        assert result.missing == (truths.index(None),)
        assert f"declared since 2.2, and 2.{truths.index(None)} could not be run: " in result.judgement.reason


def test_a_release_that_cannot_be_run_elsewhere_changes_nothing():
    assert found([None, False, True, True], 2).judgement.verdict is Verdict.HOLDS
    assert found([False, False, True, None], 2).judgement.verdict is Verdict.HOLDS


def test_a_declaration_is_refuted_also_where_a_neighbour_cannot_be_run():
    assert found([False, None, False, True], 2).judgement.verdict is Verdict.REFUTED


def test_where_nothing_can_be_run_nothing_is_said():
    result = found([None, None], 1)
    assert result.judgement == (
        Verdict.UNPROVEN,
        "no release could be run: there is no Python 3.6 here",
        "",
    )
    assert result.missing == (0, 1)
