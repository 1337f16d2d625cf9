"""Which releases are run to find the one in which a claim changes."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import ceil, log2

import pytest

from sphinx_djconn.claims.bisect import RUN_ALL_UP_TO, Direction, ReleaseSearch, only_change, spans

SINCE, UNTIL = Direction.SINCE, Direction.UNTIL

Truths = Sequence[bool | None]


def searched(search: ReleaseSearch, truths: Truths) -> dict[int, bool | None]:
    """Return what is known at the end of a search in releases that say ``truths``."""
    known: dict[int, bool | None] = {}
    for _ in range(len(truths) + 1):
        wanted = search.next_releases(known)
        if not wanted:
            return known
        assert not known.keys() & set(wanted), "a release is run once"
        known |= {each: truths[each] for each in wanted}
    raise AssertionError("a search without an end")


def runs(known: Mapping[int, bool | None]) -> int:
    return sum(truth is not None for truth in known.values())


def row(count: int, first: int, direction: Direction = SINCE) -> list[bool]:
    """Return ``count`` releases that say something else from ``first`` on."""
    return [(each >= first) == (direction is SINCE) for each in range(count)]


def most_runs(count: int) -> int:
    return count if count <= RUN_ALL_UP_TO else ceil(log2(count + 3))


@pytest.mark.parametrize("direction", Direction)
def test_a_change_is_found_wherever_it_is_in_rows_of_up_to_sixty(direction: Direction):
    for count in range(1, 61):
        for first in range(1, count):
            known = searched(ReleaseSearch(count, direction), row(count, first, direction))
            assert only_change(spans(known)) == (first - 1, first), (count, first)
            assert runs(known) <= most_runs(count) <= max(6, RUN_ALL_UP_TO)


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("direction", Direction)
def test_where_nothing_changes_both_ends_were_run(direction: Direction, truth: bool):
    for count in range(1, 61):
        known = searched(ReleaseSearch(count, direction), [truth] * count)
        assert spans(known) == [(0, count - 1, truth)]
        assert runs(known) <= most_runs(count)


@pytest.mark.parametrize("direction", Direction)
def test_a_change_the_other_way_is_noticed(direction: Direction):
    other = SINCE if direction is UNTIL else UNTIL
    for count in range(2, 61):
        for first in range(1, count):
            known = searched(ReleaseSearch(count, direction), row(count, first, other))
            assert [each.truth for each in spans(known)] == [other is UNTIL, other is SINCE]
            assert runs(known) <= most_runs(count)


def test_sixty_releases_take_six_runs_and_a_hundred_and_thirteen_seven():
    assert [most_runs(count) for count in (60, 61, 62, 113, 125, 126)] == [6, 6, 7, 7, 7, 8]
    for count in (60, 61, 62, 113, 125, 126):
        took = [runs(searched(ReleaseSearch(count), row(count, first))) for first in range(count + 1)]
        assert max(took) == most_runs(count)


def test_of_eight_releases_all_are_run_at_once():
    assert ReleaseSearch(8).next_releases({}) == tuple(range(8))
    assert ReleaseSearch(8, declared=3).next_releases({}) == tuple(range(8))
    assert len(ReleaseSearch(9).next_releases({})) == 1


def test_a_declared_release_takes_four_runs_at_once_where_it_is_right():
    for count in range(RUN_ALL_UP_TO + 1, 61):
        for first in range(1, count):
            search = ReleaseSearch(count, SINCE, first)
            wanted = {0, first - 1, first, count - 1}
            assert search.next_releases({}) == tuple(sorted(wanted))
            assert searched(search, row(count, first)).keys() == wanted


def test_a_wrongly_declared_release_is_searched_for():
    for count in (9, 13, 40, 60):
        for declared, first in product(range(1, count), repeat=2):
            known = searched(ReleaseSearch(count, SINCE, declared), row(count, first))
            assert only_change(spans(known)) == (first - 1, first), (count, declared, first)
            assert runs(known) <= 4 + ceil(log2(count))


def test_a_declaration_of_what_never_changes_is_not_searched_for():
    for truth in (True, False):
        known = searched(ReleaseSearch(60, SINCE, 20), [truth] * 60)
        assert known.keys() == {0, 19, 20, 59}
        assert spans(known) == [(0, 59, truth)]


def test_until_is_since_with_true_for_false():
    for first in range(1, 20):
        since = searched(ReleaseSearch(20, SINCE, 7), row(20, first))
        until = searched(ReleaseSearch(20, UNTIL, 7), row(20, first, UNTIL))
        assert {each: not truth for each, truth in since.items()} == until


def test_a_release_that_cannot_be_run_is_passed_over():
    for count in range(RUN_ALL_UP_TO + 1, 30):
        for first, absent in product(range(1, count), range(count)):
            truths: list[bool | None] = [*row(count, first)]
            truths[absent] = None
            known = searched(ReleaseSearch(count), truths)
            run = [each for each in range(count) if each != absent]
            before = max((each for each in run if each < first), default=None)
            after = min((each for each in run if each >= first), default=None)
            if before is None or after is None:
                assert len(spans(known)) == 1
            else:
                assert only_change(spans(known)) == (before, after), (count, first, absent)


@pytest.mark.parametrize("declared", [None, 12])
def test_a_change_among_releases_that_cannot_be_run_lies_between_their_neighbours(declared: int | None):
    truths: list[bool | None] = [*row(30, 12)]
    truths[8:16] = [None] * 8
    known = searched(ReleaseSearch(30, SINCE, declared), truths)
    assert only_change(spans(known)) == (7, 16)
    assert all(each in known for each in range(8, 16)), "none of them is left that could be tried"


def test_many_that_cannot_be_run_are_not_tried_one_after_another():
    truths: list[bool | None] = [*row(100, 95)]
    truths[10:70] = [None] * 60
    known = searched(ReleaseSearch(100), truths)
    assert only_change(spans(known)) == (94, 95)
    assert len(known) - runs(known) <= 4


@pytest.mark.parametrize("end", ["first", "last"])
def test_an_end_that_cannot_be_run_gives_way_to_its_neighbour(end: str):
    truths: list[bool | None] = [*row(30, 12)]
    absent = 0 if end == "first" else 29
    truths[absent] = None
    known = searched(ReleaseSearch(30, SINCE, 12), truths)
    assert known.keys() == {0, 11, 12, 29, abs(absent - 1)}


def test_where_nothing_can_be_run_everything_was_tried():
    for declared in (None, 5):
        known = searched(ReleaseSearch(20, SINCE, declared), [None] * 20)
        assert known == dict.fromkeys(range(20))
        assert spans(known) == []


def test_a_search_ends_whatever_the_releases_say():
    for truths in product([True, False, None], repeat=9):
        for declared in (None, 4):
            known = searched(ReleaseSearch(9, SINCE, declared), truths)
            assert all(known[each] == truths[each] for each in known)


def test_a_second_change_is_seen_where_it_was_run():
    truths = [False] * 10 + [True] * 10 + [False] * 10
    found = spans(searched(ReleaseSearch(30, SINCE, 10), truths))
    assert [each.truth for each in found] == [False, True, False]
    assert only_change(found) is None
