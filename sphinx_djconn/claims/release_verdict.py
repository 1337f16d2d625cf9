"""The verdict on a claim about releases: since when, or until when, it is true."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sphinx_djconn.claims.bisect import Direction, Search, Span, change, stretches
from sphinx_djconn.claims.errors import listed
from sphinx_djconn.claims.verdict import Judgement, Verdict

_MOST_NAMED = 6


class ReleaseResult(NamedTuple):
    """What one release says: whether the claim is true of it, and the values, or why there are none.

    One that was ``run`` may still say neither.
    """

    truth: bool | None
    reason: str
    run: bool = True


class ReleaseVerdict(NamedTuple):
    """What a search has found.

    ``found`` is that in few words: ``since 2.1.4``. ``before`` and ``after`` are the releases on both sides of
    the change, where there is one. ``passed`` are those that could not be run and on which the verdict depends.
    """

    judgement: Judgement
    found: str
    before: int | None = None
    after: int | None = None
    passed: tuple[int, ...] = ()


def outcome(search: Search, names: Sequence[str], told: Mapping[int, ReleaseResult]) -> ReleaseVerdict:
    """Return what is ``told`` of those of the releases ``names`` that ``search`` has had run."""
    return _Reading(search, names, told).outcome()


class _Reading:
    def __init__(self, search: Search, names: Sequence[str], told: Mapping[int, ReleaseResult]) -> None:
        self._search = search
        self._names = names
        self._told = told
        self._known = {position: each.truth for position, each in told.items()}
        self._found = stretches(self._known)

    def outcome(self) -> ReleaseVerdict:
        if not self._found:
            return self._nothing()
        found = change(self._found)
        before, after = found or (None, None)
        words, told = self._words(found)
        verdict, passed = self._verdict(found)
        if verdict is Verdict.REFUTED and self._declared:
            told = f"declared {self._declared}, found {words}: {told}"
        if verdict is Verdict.UNPROVEN:
            told = f"declared {self._declared}, and {self._not_run(passed)}: {told}"
        between = range(found[0] + 1, found[1]) if found else ()
        if between and verdict is not Verdict.UNPROVEN and all(each in self._told for each in between):
            told += f"; {self._not_run(between)}"
        judgement = Judgement(verdict, f"{told}; {self._share()}")
        return ReleaseVerdict(judgement, words, before, after, passed)

    def _nothing(self) -> ReleaseVerdict:
        first = next(iter(self._told.values()), None)
        why = f": {first.reason}" if first else ""
        reason = f"no release could be run{why}"
        return ReleaseVerdict(
            Judgement(Verdict.UNPROVEN, reason), "not known", passed=tuple(sorted(self._told))
        )

    @property
    def _declared(self) -> str:
        """What the author declares, in words; nothing where that is to be found."""
        declared = self._search.declared
        if declared is None:
            return ""
        since = self._search.direction is Direction.SINCE
        return f"since {self._names[declared]}" if since else f"until {self._names[declared - 1]}"

    def _verdict(self, found: tuple[int, int] | None) -> tuple[Verdict, tuple[int, ...]]:
        """Return the verdict, and where that is ``unproven``, the releases that are missing for it."""
        declared = self._search.declared
        if declared is None:
            holds = self._found[-1 if self._is_since else 0].truth and len(self._found) <= 2  # noqa: PLR2004
            return (Verdict.HOLDS if holds else Verdict.REFUTED), ()
        if not self._search.is_as_declared(self._known):
            return Verdict.REFUTED, ()
        if found == (declared - 1, declared):
            return Verdict.HOLDS, ()
        missing = {each for each in (declared - 1, declared) if self._known.get(each) is None}
        return Verdict.UNPROVEN, tuple(sorted(missing))

    @property
    def _is_since(self) -> bool:
        return self._search.direction is Direction.SINCE

    def _words(self, found: tuple[int, int] | None) -> tuple[str, str]:
        """Return what was found in few words, and what shows it."""
        if len(self._found) == 1:
            only = self._found[0]
            sign = "true" if only.truth else "false"
            where = self._span(only)
            return f"{sign} throughout", f"{sign} with {where} ({self._told[only.first].reason})"
        if found is None:
            told = ", ".join(f"{_truth(each)} with {self._span(each)}" for each in self._found)
            return "more than one change", f"it changes more than once: {told}"
        before, after = found
        evidence = ", ".join(
            f"{_truth(each)} with {self._names[position]} ({self._told[position].reason})"
            for each, position in zip(self._found, found, strict=True)
        )
        between = range(before + 1, after)
        if not between:
            is_since = self._found[1].truth
            return f"since {self._names[after]}" if is_since else f"until {self._names[before]}", evidence
        kind = "since a release" if self._found[1].truth else "until a release"
        return f"{kind} between {self._names[before]} and {self._names[after]}", evidence

    def _span(self, stretch: Span) -> str:
        first, last = self._names[stretch.first], self._names[stretch.last]
        if stretch.first == stretch.last:
            return first
        whole = all(self._known.get(each) is not None for each in range(stretch.first, stretch.last + 1))
        if whole and stretch.last == stretch.first + 1:
            return f"{first} and {last}"
        return f"{first} to {last}"

    def _not_run(self, positions: Sequence[int]) -> str:
        named = [self._names[each] for each in positions]
        if len(named) > _MOST_NAMED:
            return f"{named[0]} to {named[-1]} {self._lost(positions)}"
        *most, last = named
        return f"{f'{listed(most)} and ' if most else ''}{last} {self._lost(positions)}"

    def _lost(self, positions: Iterable[int]) -> str:
        return f"could not be {'judged' if any(self._told[each].run for each in positions) else 'run'}"

    def _share(self) -> str:
        lost = [position for position, truth in self._known.items() if truth is None]
        run = len(self._known) - len(lost)
        told = f"; {len(lost)} {self._lost(lost)}" if lost else ""
        if run == self._search.count:
            return f"all {run} releases were run"
        if len(self._known) == self._search.count:
            return f"{run} of {self._search.count} releases were run{told}"
        were = "was" if run == 1 else "were"
        shown = f"{run} of {self._search.count} releases {were} run{told}"
        return f"{shown}; of the others, the order is taken for granted"


def _truth(stretch: Span) -> str:
    return "true" if stretch.truth else "false"
