"""The verdict on a claim about releases: since which one, or until which one, it is true."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sphinx_djconn.claims.bisect import Direction, ReleaseSearch, Span, only_change, spans
from sphinx_djconn.claims.errors import listed
from sphinx_djconn.claims.judgement import Judgement, Verdict

_MOST_NAMED = 6


class ReleaseResult(NamedTuple):
    """The result of one release: whether the claim is true, and the values that show it, or why it is unknown.

    A release that was ``run`` may still not decide the claim.
    """

    truth: bool | None
    reason: str
    run: bool = True


class ReleaseVerdict(NamedTuple):
    """The result of a search.

    ``summary`` is that in a few words: ``since 2.1.4``. ``before`` and ``after`` are the releases on both sides
    of the change, if there is one. ``missing`` are the releases that could not be run, and that the verdict
    needs.
    """

    judgement: Judgement
    summary: str
    before: int | None = None
    after: int | None = None
    missing: tuple[int, ...] = ()


def release_verdict(
    search: ReleaseSearch, names: Sequence[str], results: Mapping[int, ReleaseResult]
) -> ReleaseVerdict:
    """Return the verdict that ``results`` show, by the position of the release in ``names``."""
    return _Verdict(search, names, results).verdict()


class _Verdict:
    def __init__(
        self, search: ReleaseSearch, names: Sequence[str], results: Mapping[int, ReleaseResult]
    ) -> None:
        self._search = search
        self._names = names
        self._results = results
        self._truths = {position: result.truth for position, result in results.items()}
        self._spans = spans(self._truths)

    def verdict(self) -> ReleaseVerdict:
        if not self._spans:
            return self._nothing_run()
        change = only_change(self._spans)
        before, after = change or (None, None)
        summary, evidence = self._summary(change)
        verdict, missing = self._decide(change)
        if verdict is Verdict.REFUTED and self._declared:
            evidence = f"declared {self._declared}, found {summary}: {evidence}"
        if verdict is Verdict.UNPROVEN:
            evidence = f"declared {self._declared}, and {self._not_run(missing)}: {evidence}"
        between = range(change[0] + 1, change[1]) if change else ()
        if between and verdict is not Verdict.UNPROVEN and all(each in self._results for each in between):
            evidence += f"; {self._not_run(between)}"
        judgement = Judgement(verdict, f"{evidence}; {self._share()}")
        return ReleaseVerdict(judgement, summary, before, after, missing)

    def _nothing_run(self) -> ReleaseVerdict:
        first = next(iter(self._results.values()), None)
        why = f": {first.reason}" if first else ""
        judgement = Judgement(Verdict.UNPROVEN, f"no release could be run{why}")
        return ReleaseVerdict(judgement, "not known", missing=tuple(sorted(self._results)))

    @property
    def _declared(self) -> str:
        """What the author declares, in words; empty if nothing is declared."""
        declared = self._search.declared
        if declared is None:
            return ""
        return f"since {self._names[declared]}" if self._is_since else f"until {self._names[declared - 1]}"

    @property
    def _is_since(self) -> bool:
        return self._search.direction is Direction.SINCE

    def _decide(self, change: tuple[int, int] | None) -> tuple[Verdict, tuple[int, ...]]:
        """Return the verdict; if it is ``unproven``, with the releases that are missing."""
        declared = self._search.declared
        if declared is None:
            holds = self._spans[-1 if self._is_since else 0].truth and len(self._spans) <= 2  # noqa: PLR2004
            return (Verdict.HOLDS if holds else Verdict.REFUTED), ()
        if not self._search.is_as_declared(self._truths):
            return Verdict.REFUTED, ()
        if change == (declared - 1, declared):
            return Verdict.HOLDS, ()
        missing = {position for position in (declared - 1, declared) if self._truths.get(position) is None}
        return Verdict.UNPROVEN, tuple(sorted(missing))

    def _summary(self, change: tuple[int, int] | None) -> tuple[str, str]:
        """Return the result in a few words, and the values that show it."""
        if len(self._spans) == 1:
            only = self._spans[0]
            return (
                f"{_truth(only)} throughout",
                f"{_truth(only)} with {self._span(only)} ({self._results[only.first].reason})",
            )
        if change is None:
            changes = ", ".join(f"{_truth(span)} with {self._span(span)}" for span in self._spans)
            return "more than one change", f"it changes more than once: {changes}"
        before, after = change
        evidence = ", ".join(
            f"{_truth(span)} with {self._names[position]} ({self._results[position].reason})"
            for span, position in zip(self._spans, change, strict=True)
        )
        becomes_true = self._spans[1].truth
        if after == before + 1:
            return f"since {self._names[after]}" if becomes_true else f"until {self._names[before]}", evidence
        kind = "since a release" if becomes_true else "until a release"
        return f"{kind} between {self._names[before]} and {self._names[after]}", evidence

    def _span(self, span: Span) -> str:
        first, last = self._names[span.first], self._names[span.last]
        if span.first == span.last:
            return first
        whole = all(self._truths.get(each) is not None for each in range(span.first, span.last + 1))
        if whole and span.last == span.first + 1:
            return f"{first} and {last}"
        return f"{first} to {last}"

    def _not_run(self, positions: Sequence[int]) -> str:
        names = [self._names[position] for position in positions]
        if len(names) > _MOST_NAMED:
            return f"{names[0]} to {names[-1]} {self._could_not_be(positions)}"
        *most, last = names
        return f"{f'{listed(most)} and ' if most else ''}{last} {self._could_not_be(positions)}"

    def _could_not_be(self, positions: Iterable[int]) -> str:
        was_run = any(self._results[position].run for position in positions)
        return f"could not be {'judged' if was_run else 'run'}"

    def _share(self) -> str:
        """Return how many of the releases were run."""
        failed = [position for position, truth in self._truths.items() if truth is None]
        count, run = self._search.count, len(self._truths) - len(failed)
        failures = f"; {len(failed)} {self._could_not_be(failed)}" if failed else ""
        if run == count:
            return f"all {run} releases were run"
        if len(self._truths) == count:
            return f"{run} of {count} releases were run{failures}"
        were = "was" if run == 1 else "were"
        return f"{run} of {count} releases {were} run{failures}; of the others, the order is taken for granted"


def _truth(span: Span) -> str:
    return "true" if span.truth else "false"
