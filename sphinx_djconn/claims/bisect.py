"""Find the release in which a claim changes: which releases to run next, and what the results show.

Releases are positions from 0, the oldest. The only state is the results of the releases that were run, so the
next step is the same whether these were run now or in an earlier build.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from typing import Final, NamedTuple, TypeAlias

Results: TypeAlias = Mapping[int, bool | None]
"""Whether the claim is true, by release; ``None`` if the release could not be run."""

RUN_ALL_UP_TO: Final = 8
"""If there are at most so many releases, all of them are run."""


class Direction(StrEnum):
    """How the claim is expected to change: it is true ``since`` a release, or ``until`` one."""

    SINCE = "since"
    UNTIL = "until"


@dataclass(frozen=True)
class ReleaseSearch:
    """A search in ``count`` releases for the one where the claim changes.

    ``declared`` is the first release after the change, as the author declares it: the one named by ``since``,
    or the one after the one named by ``until``.
    """

    count: int
    direction: Direction = Direction.SINCE
    declared: int | None = None

    def next_releases(self, results: Results) -> tuple[int, ...]:
        """Return the releases to run next, all at once; none if the search is at its end.

        Up to :data:`RUN_ALL_UP_TO` releases are all run. Of more, the declared release, the one before it, and
        the first and the last one are run; if they are as declared, this is all. If they are not, or if nothing
        is declared, the range of the change is halved until it is found. That takes log2(n + 3) runs of ``n``
        releases, rounded up: six for 60. Releases that could not be run are skipped.
        """
        if self.count <= RUN_ALL_UP_TO:
            return tuple(position for position in range(self.count) if position not in results)
        if self.declared is not None:
            around = self._around(self.declared, results)
            if around or self.is_as_declared(results):
                return around
        return self._halve(results)

    def is_as_declared(self, results: Results) -> bool:
        """Return whether no result contradicts the declaration."""
        declared = self.declared
        return declared is not None and all(
            truth is None or self._is_after_change(truth) == (position >= declared)
            for position, truth in results.items()
        )

    def _is_after_change(self, truth: bool) -> bool:
        return truth == (self.direction is Direction.SINCE)

    def _around(self, declared: int, results: Results) -> tuple[int, ...]:
        """Return the releases to run next to the declared change, and at both ends."""
        before, after = range(declared), range(declared, self.count)
        return _first_not_run((before, before[::-1], after, after[::-1]), results)

    def _halve(self, results: Results) -> tuple[int, ...]:
        """Return the release to run next in the range where the change must be."""
        after_change = {
            position: self._is_after_change(truth) for position, truth in results.items() if truth is not None
        }
        last_before = max((position for position, after in after_change.items() if not after), default=-1)
        first_after = min((position for position, after in after_change.items() if after), default=self.count)
        if last_before > first_after:  # it changes more than once, or in the other direction
            return ()
        gaps = _gaps(range(last_before + 1, first_after), results)
        if not gaps:
            # If all results are the same, run the end that could still differ.
            all_alike = last_before == -1 or first_after == self.count
            ends = (range(self.count), range(self.count)[::-1])
            return _first_not_run(ends, results) if all_alike else ()
        if len(gaps) == 1 and len(gaps[0]) == first_after - last_before - 1:
            return (self._middle(last_before, first_after),)
        # The releases next to one that could not be run may fail, too: go to the middle of the longest gap.
        longest = max(gaps, key=len)
        return (longest[len(longest) // 2],)

    def _middle(self, last_before: int, first_after: int) -> int:
        """Return the release between the two that leaves the fewest runs in the worst case.

        "No change" counts as two possibilities, because it takes one more run to see that both ends are alike.
        """
        return min(
            range(last_before + 1, first_after),
            key=lambda position: max(
                position - last_before + (last_before == -1),
                first_after - position + (first_after == self.count),
            ),
        )


def _first_not_run(ranges: Iterable[Iterable[int]], results: Results) -> tuple[int, ...]:
    """Return the first release to run of each of ``ranges``, unless one before it has a result."""
    first = {_first_to_run(positions, results) for positions in ranges}
    return tuple(sorted(position for position in first if position is not None))


def _first_to_run(positions: Iterable[int], results: Results) -> int | None:
    for position in positions:
        if position not in results:
            return position
        if results[position] is not None:
            return None
    return None


def _gaps(positions: Iterable[int], results: Results) -> list[list[int]]:
    """Return the ``positions`` that have not been tried, split where they are not adjacent."""
    groups = groupby(positions, lambda position: position in results)
    return [list(group) for is_tried, group in groups if not is_tried]


class Span(NamedTuple):
    """Releases from ``first`` to ``last`` for which all results are the same ``truth``."""

    first: int
    last: int
    truth: bool


def spans(results: Results) -> list[Span]:
    """Return the spans in ``results``, in order. The claim changes between each two of them."""
    run = sorted((position, truth) for position, truth in results.items() if truth is not None)
    groups = (
        (truth, [position for position, _ in group]) for truth, group in groupby(run, lambda each: each[1])
    )
    return [Span(positions[0], positions[-1], truth) for truth, positions in groups]


def only_change(spans_: Sequence[Span]) -> tuple[int, int] | None:
    """Return the releases before and after the change; ``None`` if there is no change, or more than one."""
    changes = [(before.last, after.first) for before, after in pairwise(spans_)]
    return changes[0] if len(changes) == 1 else None
