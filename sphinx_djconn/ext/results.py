"""The results of a build: the verdict on each claim, and the figures in sentences."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Final

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.judgement import Judgement, Verdict
from sphinx_djconn.claims.verdict import judge_cells
from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.ext.bisection import Bisection, judge_search, why_no_search
from sphinx_djconn.ext.expressions import claim_expression, target_expression
from sphinx_djconn.ext.figure_lookup import FigureError, Figures
from sphinx_djconn.ext.judgement_cache import JudgementCache
from sphinx_djconn.ext.recordings import MissingRecording, Recordings
from sphinx_djconn.ext.registry import FIGURE_MARK, DeclaredClaim, DeclaredScenario, Problem, Registry
from sphinx_djconn.ext.targets import Target, TargetError, resolve_target, select_where
from sphinx_djconn.ext.up_to_date import UpToDateStamp
from sphinx_djconn.hashing import digest

_FIGURE: Final = rf"{FIGURE_MARK}(?P<target>.*?){FIGURE_MARK}(?P<expression>.*?){FIGURE_MARK}"


class Results:
    """The results of the declarations in ``registry``. Claims are judged when they are needed.

    ``errors`` has a message for each judged claim that cannot be decided. ``not_installed`` lists for such a
    claim what this machine lacks, if nothing else prevents a verdict; if ``accept_missing``, the claim is then
    not checked, and does not fail. ``rendered`` are the pages that got their evidence in this build. ``stamp``
    lets a later build skip the check.
    """

    def __init__(
        self,
        registry: Registry,
        recordings: Recordings,
        searches: Mapping[str, Bisection],
        *,
        accept_missing: bool = False,
    ) -> None:
        self.recordings = recordings
        self.searches = searches
        self.accept_missing = accept_missing
        self.declarations = registry.declarations()
        self.figures = Figures(self.declarations, recordings)
        self.errors: dict[str, str] = {}
        self.not_installed: dict[str, tuple[str, ...]] = {}
        self.rendered: set[str] = set()
        self.stamp: UpToDateStamp | None = None
        self._registry = registry
        self._cache = JudgementCache(registry)
        self._judgements: dict[str, Judgement] = {}

    @property
    def scenarios(self) -> Mapping[str, DeclaredScenario]:
        """The scenarios and the cells of matrices and of searches, by name."""
        return self.recordings.scenarios

    @cached_property
    def claims(self) -> dict[str, DeclaredClaim]:
        """The claims by name, with the figures in their sentences."""
        return {
            name: replace(claim, sentence=re.sub(_FIGURE, self._figure_in_sentence, claim.sentence))
            if FIGURE_MARK in claim.sentence
            else claim
            for name, claim in self._registry.claims().items()
        }

    def _figure_in_sentence(self, match: re.Match[str]) -> str:
        try:
            return self.figures.figure(match["target"], match["expression"])
        except FigureError:
            return "?"

    @cached_property
    def problems(self) -> list[Problem]:
        """The errors of pages, including figures without a value."""
        problems = list(self._registry.problems())
        for page in self._registry.pages.values():
            for use in page.facts:
                try:
                    self.figures.figure(use.target, use.expression)
                except FigureError as error:
                    text = f"{use.target} {use.expression}".strip()
                    subtype = "absent" if error.not_installed else "config"
                    problems.append(Problem(f"djconn:fact `{text}`", str(error), use.location, subtype))
        return problems

    # Verdicts.

    def judgement(self, name: str) -> Judgement:
        """Return the judgement of the claim ``name``; a claim that cannot be decided is unproven."""
        if name not in self._judgements:
            claim = self.claims[name]
            try:
                self._judgements[name] = self._judge_search(claim) if claim.releases else self._judge(claim)
            except Exception as error:  # noqa: BLE001 - concerns one claim
                message = self.recordings.bug_reports.message(error, "it was judged", name)
                self._judgements[name] = self._unproven(claim, f"unproven: {message}", message)
        return self._judgements[name]

    def is_as_declared(self, claim: DeclaredClaim) -> bool:
        """Return whether the verdict on ``claim`` is the declared one, and the claim has no error."""
        return self.judgement(claim.name).verdict == claim.declared and claim.name not in self.errors

    def is_accepted(self, missing: MissingRecording) -> bool:
        """Return whether a recording is missing because of what is not installed, and conf.py accepts that."""
        return self.accept_missing and missing.not_installed

    def is_not_checked(self, name: str) -> bool:
        """Return whether this machine only lacks what the claim ``name`` needs, and conf.py accepts that."""
        self.judgement(name)
        return self.accept_missing and name in self.not_installed

    def warning_type(self, claim: DeclaredClaim) -> str:
        """Return the type of the warning that ``claim`` is not as declared."""
        self.judgement(claim.name)
        return "absent" if claim.name in self.not_installed else "claim"

    def verdict_text(self, name: str) -> str:
        """Return the verdict on the claim ``name`` as readers see it."""
        return NOT_CHECKED if self.is_not_checked(name) else str(self.judgement(name).verdict)

    def _judge_search(self, claim: DeclaredClaim) -> Judgement:
        search = self.searches.get(claim.name)
        if search is None:
            reason = why_no_search(claim, self.declarations)
            return self._unproven(claim, f"a claim about nothing: {reason}", reason)
        judgement, error = judge_search(search)
        if judgement.verdict is Verdict.UNPROVEN:
            self._set_not_installed(claim, search.passed())
        return self._unproven(claim, error, judgement.reason) if error else judgement

    def _judge(self, claim: DeclaredClaim) -> Judgement:
        try:
            whole = resolve_target(self.declarations, claim.target)
            recordings = self.target_digest(claim.target)
            cached = self._cache.get(claim.name, claim, recordings)
            if cached is not None:
                return cached
            target = select_where(whole, claim.where)
        except TargetError as error:
            return self._unproven(claim, f"a claim about nothing: {error}", str(error))
        judgement = self._judge_cells(claim, target)
        if claim.name not in self.errors and not self.recordings.without_run(target.cells):
            self._cache.set(claim.name, claim, recordings, judgement)
        return judgement

    def _judge_cells(self, claim: DeclaredClaim, target: Target) -> Judgement:
        try:
            expression = target_expression(target, lambda scenario: claim_expression(claim, scenario))
        except ExpressionError as error:
            return self._unproven(claim, error.shown, str(error))
        names = {target.label(cell): cell.name for cell in target.cells}
        facts = {label: self.recordings.facts(name) for label, name in names.items()}
        without_run = self.recordings.without_run(target.cells)  # after reading them: one may be unreadable
        if expression is None or (without_run and target.matrix is None):
            self._set_not_installed(claim, without_run)
            missing = self.recordings.missing.get(claim.target)
            message = f"unproven: no run of the {target.kind} `{claim.target}` reached its end"
            reason = "no run reached its end" if missing is None else missing.message
            return self._unproven(claim, f"{message}; its own warning says why", reason)
        sometimes = claim.sometimes is not None
        judgement = judge_cells(expression, facts, sometimes=sometimes)
        cell = names[judgement.cell] if target.matrix is not None and judgement.cell else ""
        judgement = judgement._replace(cell=cell)
        if not without_run or judgement.verdict is not Verdict.UNPROVEN:
            return judgement
        with_run = {label: runs for label, runs in facts.items() if runs}
        if (
            not with_run
            or judge_cells(expression, with_run, sometimes=sometimes).verdict is not Verdict.UNPROVEN
        ):
            self._set_not_installed(claim, without_run)
        reason = "; ".join((judgement.reason, *self.not_installed.get(claim.name, ())))
        return self._unproven(claim, f"unproven: {judgement.reason}; its own warning says why", reason, cell)

    def target_digest(self, name: str) -> str:
        """Return a digest that changes whenever a recording of the target ``name`` does."""
        try:
            target = resolve_target(self.declarations, name)
        except TargetError as error:
            return digest(str(error))
        return digest([[cell.name, self.recordings.digest(cell.name)] for cell in target.cells])

    def _set_not_installed(self, claim: DeclaredClaim, without_run: Iterable[DeclaredScenario]) -> None:
        not_installed = self.recordings.not_installed(without_run)
        if not_installed:
            self.not_installed[claim.name] = not_installed

    def _unproven(self, claim: DeclaredClaim, message: str, reason: str, cell: str = "") -> Judgement:
        self.errors[claim.name] = message
        return Judgement(Verdict.UNPROVEN, reason, cell)

    def checked_with(self, claim: DeclaredClaim, *, all_cells: bool = False) -> set[str]:
        """Return the versions of Django that ``claim`` was checked with, in the cells that it is about.

        ``all_cells`` includes all cells of its matrix, so that ``:where:`` is not evaluated.
        """
        cells: Iterable[DeclaredScenario] = ()
        if claim.releases is not None:
            search = self.searches.get(claim.name)
            cells = search.cells.values() if search else ()
        else:
            with suppress(TargetError):
                target = resolve_target(self.declarations, claim.target)
                cells = select_where(target, None if all_cells else claim.where).cells
        return self.recordings.djangos(cell.name for cell in cells)
