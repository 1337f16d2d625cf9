"""The searches of a build for the releases in which claims change: the cells they need, and what these say."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sphinx_djconn.claims.bisect import ReleaseSearch
from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.release_verdict import ReleaseResult, ReleaseVerdict, release_verdict
from sphinx_djconn.claims.verdict import Judgement, Verdict, judge
from sphinx_djconn.ext.directives.options import unknown
from sphinx_djconn.ext.registry import (
    DeclaredClaim,
    DeclaredMatrix,
    DeclaredScenario,
    Registry,
    Releases,
    claim_expression,
)

if TYPE_CHECKING:
    from sphinx_djconn.claims.expression import Expression
    from sphinx_djconn.ext.results import Results

_TRUTHS: Final = {Verdict.HOLDS: True, Verdict.REFUTED: False, Verdict.UNPROVEN: None}


class Bisection:
    """The search of the claim ``claim`` among releases, each of which is a cell: ``base`` in its environment.

    ``cells`` are those that were needed so far, by their position in the row of releases.
    """

    def __init__(self, claim: DeclaredClaim, base: DeclaredScenario, results: "Results") -> None:
        assert claim.releases is not None
        self.claim = claim
        self.releases: Releases = claim.releases
        self.cells: dict[int, DeclaredScenario] = {}
        self._base = base
        self._results = results
        self._told: dict[int, ReleaseResult] = {}
        self._search = ReleaseSearch(len(self.releases.names), self.releases.direction, self.releases.declared)

    @cached_property
    def expression(self) -> "Expression":
        """The claim's expression; raises :class:`ExpressionError` where the scenario has no such name."""
        assert self._base.scenario is not None
        return claim_expression(self.claim, self._base.scenario)

    def next(self) -> Iterator[DeclaredScenario]:
        """Yield the cells that are needed next, once all that were needed before are run or have failed.

        None is needed for an expression that means nothing.
        """
        with suppress(ExpressionError):
            yield from self._needed()

    def _needed(self) -> Iterator[DeclaredScenario]:
        _ = self.expression
        for position in self._search.next_releases({each: told.truth for each, told in self.told().items()}):
            self.cells[position] = cell = self._cell(position)
            yield cell

    def told(self) -> dict[int, ReleaseResult]:
        """Return what each of the cells says, by its position."""
        for position, cell in sorted(self.cells.items()):
            if position not in self._told:
                self._told[position] = self._tell(cell)
        return self._told

    def outcome(self) -> ReleaseVerdict:
        """Return what the search has found."""
        return release_verdict(self._search, self.releases.names, self.told())

    def passed(self) -> list[DeclaredScenario]:
        """Return the cells without a run on which the verdict depends."""
        return [self.cells[each] for each in self.outcome().missing]

    def _cell(self, position: int) -> DeclaredScenario:
        environment = self.releases.environments[position]
        assert self._base.scenario is not None
        return DeclaredScenario(
            f"{self.claim.name}[environment={environment}]",
            self.claim.place,
            self.claim.node_id,
            replace(self._base.scenario, environment=environment),
            claim=self.claim.name,
            steps=self._base.place.moved(self._base.body_offset),
        )

    def _tell(self, cell: DeclaredScenario) -> ReleaseResult:
        absence = self._results.absences.get(cell.name)
        if absence is not None:
            return ReleaseResult(None, absence.message, run=False)
        judgement = self._judgement(cell)
        return ReleaseResult(_TRUTHS[judgement.verdict], judgement.reason)

    def _judgement(self, cell: DeclaredScenario) -> Judgement:
        """Return what an earlier build has made of this recording of the cell, or judge it now."""
        made_of = self._results.stamp(cell.name)
        kept = self._results.kept(cell.name, self.claim, made_of)
        if kept is not None:
            return kept
        runs = self._results.facts(cell.name)
        found = judge(self.expression, runs, sometimes=self.claim.sometimes is not None)
        self._results.keep(cell.name, self.claim, made_of, found)
        return found


def searches(registry: Registry, results: "Results") -> dict[str, Bisection]:
    """Return the searches for all claims about releases, by name; not for those that are about no scenario."""
    found = {}
    for name, claim in registry.claims().items():
        base = results.declared.get(claim.scenario)
        if claim.releases is not None and isinstance(base, DeclaredScenario) and base.scenario is not None:
            found[name] = Bisection(claim, base, results)
    return found


def judged(claim: DeclaredClaim, results: "Results") -> tuple[Judgement, str]:
    """Return the judgement of a claim about releases, with a message where nothing can be said."""
    search = results.searches.get(claim.name)
    if search is None:
        return _about_nothing(claim, results)
    try:
        _ = search.expression
    except ExpressionError as error:
        return Judgement(Verdict.UNPROVEN, str(error)), error.shown
    judgement = search.outcome().judgement
    return judgement, f"unproven: {judgement.reason}" if judgement.verdict is Verdict.UNPROVEN else ""


def _about_nothing(claim: DeclaredClaim, results: "Results") -> tuple[Judgement, str]:
    found = results.declared.get(claim.scenario)
    if found is None:
        names = [name for name, each in results.declared.items() if isinstance(each, DeclaredScenario)]
        reason = unknown("scenario", claim.scenario, names)
    elif isinstance(found, DeclaredMatrix):
        reason = f"`{claim.scenario}` is a matrix, and djconn:since varies the environment of one scenario"
    else:
        reason = f"what the page says of the scenario `{claim.scenario}` was refused; its own warning says why"
    return Judgement(Verdict.UNPROVEN, reason), f"a claim about nothing: {reason}"
