"""The searches for the releases in which claims change: the cells they need, and their verdicts."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Final

from sphinx_djconn.claims.bisect import ReleaseSearch
from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.expression import Expression
from sphinx_djconn.claims.judgement import Judgement, Verdict
from sphinx_djconn.claims.release_verdict import ReleaseResult, ReleaseVerdict, release_verdict
from sphinx_djconn.claims.verdict import judge
from sphinx_djconn.ext.expressions import claim_expression
from sphinx_djconn.ext.judgement_cache import JudgementCache
from sphinx_djconn.ext.messages import unknown
from sphinx_djconn.ext.recordings import Recordings
from sphinx_djconn.ext.registry import (
    DeclaredClaim,
    DeclaredMatrix,
    DeclaredScenario,
    Registry,
    Releases,
)

_TRUTHS: Final = {Verdict.HOLDS: True, Verdict.REFUTED: False, Verdict.UNPROVEN: None}


class Bisection:
    """The search for the release in which ``claim`` changes. A cell is the scenario ``base`` with one release.

    ``cells`` are those that were needed so far, by their position among the releases.
    """

    def __init__(
        self, claim: DeclaredClaim, base: DeclaredScenario, recordings: Recordings, cache: JudgementCache
    ) -> None:
        assert claim.releases is not None
        self.claim = claim
        self.releases: Releases = claim.releases
        self.cells: dict[int, DeclaredScenario] = {}
        self._base = base
        self._recordings = recordings
        self._cache = cache
        self._results: dict[int, ReleaseResult] = {}
        self._search = ReleaseSearch(len(self.releases.names), self.releases.direction, self.releases.declared)

    @cached_property
    def expression(self) -> Expression:
        """The claim's expression; raises :class:`ExpressionError` if it has none about this scenario."""
        assert self._base.scenario is not None
        return claim_expression(self.claim, self._base.scenario)

    def next_cells(self) -> Iterator[DeclaredScenario]:
        """Yield the cells that are needed next. All earlier ones must have been run, or have failed.

        An invalid expression needs none.
        """
        with suppress(ExpressionError):
            _ = self.expression
            truths = {position: result.truth for position, result in self.results().items()}
            for position in self._search.next_releases(truths):
                self.cells[position] = cell = self._cell(position)
                yield cell

    def results(self) -> dict[int, ReleaseResult]:
        """Return the result of each cell, by its position."""
        for position, cell in sorted(self.cells.items()):
            if position not in self._results:
                self._results[position] = self._result(cell)
        return self._results

    def outcome(self) -> ReleaseVerdict:
        """Return the outcome of the search so far."""
        return release_verdict(self._search, self.releases.names, self.results())

    def passed(self) -> list[DeclaredScenario]:
        """Return the cells without a run on which the verdict depends."""
        return [self.cells[position] for position in self.outcome().missing]

    def _cell(self, position: int) -> DeclaredScenario:
        environment = self.releases.environments[position]
        assert self._base.scenario is not None
        return DeclaredScenario(
            f"{self.claim.name}[environment={environment}]",
            self.claim.location,
            self.claim.node_id,
            replace(self._base.scenario, environment=environment),
            claim=self.claim.name,
            steps=self._base.location.shifted(self._base.body_offset),
        )

    def _result(self, cell: DeclaredScenario) -> ReleaseResult:
        missing = self._recordings.missing.get(cell.name)
        if missing is not None:
            return ReleaseResult(None, missing.message, run=False)
        judgement = self._judgement(cell)
        return ReleaseResult(_TRUTHS[judgement.verdict], judgement.reason)

    def _judgement(self, cell: DeclaredScenario) -> Judgement:
        digest = self._recordings.digest(cell.name)
        cached = self._cache.get(cell.name, self.claim, digest)
        if cached is not None:
            return cached
        runs = self._recordings.facts(cell.name)
        judgement = judge(self.expression, runs, sometimes=self.claim.sometimes is not None)
        self._cache.set(cell.name, self.claim, digest, judgement)
        return judgement


def bisections(registry: Registry, recordings: Recordings, cache: JudgementCache) -> dict[str, Bisection]:
    """Return the searches of all claims that are about a scenario in several releases, by name."""
    declarations = registry.declarations()
    searches = {}
    for name, claim in registry.claims().items():
        base = declarations.get(claim.target)
        if claim.releases is not None and isinstance(base, DeclaredScenario) and base.scenario is not None:
            searches[name] = Bisection(claim, base, recordings, cache)
    return searches


def judge_search(search: Bisection) -> tuple[Judgement, str]:
    """Return the judgement of a claim about releases, with a message if it is unproven."""
    try:
        _ = search.expression
    except ExpressionError as error:
        return Judgement(Verdict.UNPROVEN, str(error)), error.shown
    judgement = search.outcome().judgement
    return judgement, f"unproven: {judgement.reason}" if judgement.verdict is Verdict.UNPROVEN else ""


def why_no_search(claim: DeclaredClaim, declarations: Mapping[str, DeclaredScenario | DeclaredMatrix]) -> str:
    """Return why there is no search for ``claim``: what it names is not a scenario that can be run."""
    declared = declarations.get(claim.target)
    if declared is None:
        names = [name for name, other in declarations.items() if isinstance(other, DeclaredScenario)]
        return unknown("scenario", claim.target, names)
    if isinstance(declared, DeclaredMatrix):
        return f"`{claim.target}` is a matrix, and djconn:since varies the environment of one scenario"
    return f"the scenario `{claim.target}` has an error; its own warning says which"
