"""Where a claim changes in a row of releases: which of them are to be run, and what they have shown.

Releases are positions from 0, the oldest, and ``known`` says of those that were run whether the claim was
true; ``None`` is one that could not be run. Nothing else is remembered: what was run before leads to the same
next step again, whether it was run now or in another build.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from typing import Final, NamedTuple, TypeAlias

RunState: TypeAlias = Mapping[int, bool | None]

SHORT: Final = 8
"""The longest row of which every release is run."""


class Direction(StrEnum):
    """Which way the claim is to change: it is true ``since`` a release, or ``until`` one and no longer."""

    SINCE = "since"
    UNTIL = "until"


@dataclass(frozen=True)
class Search:
    """A search in ``count`` releases for the one where the claim changes.

    ``declared`` is the first release that differs from those before it, as the author says: the one named by
    ``since``, or the next after the one named by ``until``.
    """

    count: int
    direction: Direction = Direction.SINCE
    declared: int | None = None

    def needed(self, known: RunState) -> tuple[int, ...]:
        """Return the releases to be run next, all at once; none where it is at its end.

        A row of up to :data:`SHORT` is run as a whole. Of a longer one, the declared release, the one before
        it, and both ends are run, and that is all where they are as declared. Where they are not, or nothing is
        declared, the range in which the change lies is halved again and again. Of ``n`` releases that takes the
        binary logarithm of ``n + 3`` runs, rounded up: six for 60. A release that could not be run is passed
        over.
        """
        if self.count <= SHORT:
            return tuple(each for each in range(self.count) if each not in known)
        if self.declared is not None:
            wanted = self._around(self.declared, known)
            if wanted or self.is_as_declared(known):
                return wanted
        return self._halved(known)

    def is_as_declared(self, known: RunState) -> bool:
        """Return whether nothing that is ``known`` contradicts the declaration."""
        declared = self.declared
        return declared is not None and all(
            truth is None or self._changed(truth) == (position >= declared) for position, truth in known.items()
        )

    def _changed(self, truth: bool) -> bool:
        """Return whether a release with this ``truth`` comes after the change."""
        return truth == (self.direction is Direction.SINCE)

    def _around(self, declared: int, known: RunState) -> tuple[int, ...]:
        before, after = range(declared), range(declared, self.count)
        found = {_untried(each, known) for each in (before, before[::-1], after, after[::-1])}
        return tuple(sorted(each for each in found if each is not None))

    def _halved(self, known: RunState) -> tuple[int, ...]:
        run = {position: self._changed(truth) for position, truth in known.items() if truth is not None}
        first = max((position for position, changed in run.items() if not changed), default=-1)
        last = min((position for position, changed in run.items() if changed), default=self.count)
        if first > last:  # it changes more than once, or the other way
            return ()
        inside = _gaps(range(first + 1, last), known)
        if not inside:
            # All that were run say the same. The end that was not among them could still say something else.
            ends = (range(self.count), range(self.count)[::-1])
            alike = first == -1 or last == self.count
            found = {_untried(each, known) for each in ends} if alike else set()
            return tuple(sorted(each for each in found if each is not None))
        if len(inside) == 1 and len(inside[0]) == last - first - 1:
            return (self._middle(first, last),)
        # Beside one that could not be run there may be many more: look in the middle of what is left.
        longest = max(inside, key=len)
        return (longest[len(longest) // 2],)

    def _middle(self, first: int, last: int) -> int:
        """Return the release that halves what may be the case.

        That there is no change counts for two: it takes a run more to see that both ends say the same.
        """
        return min(
            range(first + 1, last),
            key=lambda each: max(each - first + (first == -1), last - each + (last == self.count)),
        )


def _untried(positions: Iterable[int], known: RunState) -> int | None:
    """Return the first of ``positions`` that can be run, if it was not run already."""
    for each in positions:
        if each not in known:
            return each
        if known[each] is not None:
            return None
    return None


def _gaps(positions: Iterable[int], known: RunState) -> list[list[int]]:
    """Return what was not tried of ``positions``, in pieces without a gap."""
    pieces = groupby(positions, lambda each: each in known)
    return [list(piece) for tried, piece in pieces if not tried]


class Span(NamedTuple):
    """Neighbours among the releases that were run, from ``first`` to ``last``, that all say the same."""

    first: int
    last: int
    truth: bool


def stretches(known: RunState) -> list[Span]:
    """Return what the releases that were run say, in order; a change lies between one stretch and the next."""
    run = sorted((position, truth) for position, truth in known.items() if truth is not None)
    alike = ([position for position, _ in same] for _, same in groupby(run, lambda each: each[1]))
    return [Span(same[0], same[-1], bool(known[same[0]])) for same in alike]


def change(found: Sequence[Span]) -> tuple[int, int] | None:
    """Return the releases before and after the change, where there is one and no other."""
    pairs = [(before.last, after.first) for before, after in pairwise(found)]
    return pairs[0] if len(pairs) == 1 else None
