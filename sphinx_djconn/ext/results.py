"""What a build has found out: recordings, verdicts and figures, read when they are asked for."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sphinx_djconn import __version__
from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.claims.verdict import Judgement, Verdict, judge_cells
from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.ext.bugs import Bugs, warn
from sphinx_djconn.ext.recorded import MissingRecording, Recorded
from sphinx_djconn.ext.registry import (
    FIGURE_MARK,
    DeclaredClaim,
    DeclaredMatrix,
    DeclaredScenario,
    Problem,
    Registry,
    claim_expression,
    figure_expression,
)
from sphinx_djconn.ext.shown import shown_on
from sphinx_djconn.ext.targets import ChoiceError, Target, chosen, narrowed
from sphinx_djconn.hashing import digest
from sphinx_djconn.store import Key, Store
from sphinx_djconn.trace.unknown import Unknown

if TYPE_CHECKING:
    from sphinx_djconn.claims.expression import Expression
    from sphinx_djconn.ext.bisection import Bisection
    from sphinx_djconn.ext.up_to_date import UpToDateStamp
    from sphinx_djconn.scenario.model import Scenario

_FIGURE: Final = rf"{FIGURE_MARK}(?P<scenario>.*?){FIGURE_MARK}(?P<expression>.*?){FIGURE_MARK}"


class FactError(ValueError):
    """A figure in a sentence cannot be given; ``absent`` says that only something is not installed."""

    def __init__(self, message: str, *, absent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent


class Results(Recorded):
    """The results of one build, for the declarations in ``registry``.

    ``djangos`` are the versions that the recordings were made with. ``rendered`` are the pages that were given
    their evidence in this build; ``seal`` tells a later one that all is as it was, where it is.

    ``missing`` says, by the names of claims that have been judged, what this machine lacks for a verdict;
    nothing else is in the way of one. If ``accepts_absence``, such a claim is not checked here, and no failure.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        keys: Mapping[str, Key],
        stamps: Mapping[str, str],
        absences: dict[str, MissingRecording],
        djangos: Mapping[str, str] | None = None,
        bugs: Bugs | None = None,
        *,
        accepts_absence: bool = False,
    ) -> None:
        super().__init__(store, keys, stamps, absences, bugs)
        self.accepts_absence = accepts_absence
        self.misplaced: dict[str, str] = {}
        self.missing: dict[str, tuple[str, ...]] = {}
        self.rendered: set[str] = set()
        self.seal: UpToDateStamp | None = None
        self._registry = registry
        self._djangos = {} if djangos is None else djangos
        self._judgements: dict[str, Judgement] = {}

    @cached_property
    def declared(self) -> dict[str, DeclaredScenario | DeclaredMatrix]:
        """The scenarios and matrices by name."""
        return self._registry.declared()

    @cached_property
    def scenarios(self) -> dict[str, DeclaredScenario]:
        """The scenarios and the cells of matrices by name, and those that searches have needed so far."""
        return self._registry.scenarios()

    @cached_property
    def searches(self) -> "Mapping[str, Bisection]":
        """The searches for the releases in which claims change, by the names of these."""
        if not any(claim.releases for claim in self._registry.claims().values()):
            return {}
        from sphinx_djconn.ext.bisection import searches  # noqa: PLC0415 - most builds search for nothing

        return searches(self._registry, self)

    @cached_property
    def claims(self) -> dict[str, DeclaredClaim]:
        """The claims by name, their sentences with all figures."""
        return {
            name: replace(claim, sentence=re.sub(_FIGURE, self._in_sentence, claim.sentence))
            if FIGURE_MARK in claim.sentence
            else claim
            for name, claim in self._registry.claims().items()
        }

    def _in_sentence(self, match: re.Match[str]) -> str:
        try:
            return self.figure(match["scenario"], match["expression"])
        except FactError:
            return "?"

    @cached_property
    def problems(self) -> list[Problem]:
        """What cannot be used of the pages, figures in sentences among it."""
        found = list(self._registry.problems())
        for page in self._registry.pages.values():
            for use in page.facts:
                try:
                    self.figure(use.scenario, use.expression)
                except FactError as error:
                    text = f"{use.scenario} {use.expression}".strip()
                    subtype = "absent" if error.absent else "config"
                    found.append(Problem(f"djconn:fact `{text}`", str(error), use.place, subtype))
        return found

    def judgement(self, name: str) -> Judgement:
        """Return the judgement of the claim ``name``.

        A claim that nothing could refute is unproven, and ``misplaced`` says under its name why.
        """
        if name not in self._judgements:
            claim = self.claims[name]
            try:
                self._judgements[name] = self._judge_search(claim) if claim.releases else self._judge(claim)
            except Exception as error:  # noqa: BLE001 - one claim's trouble
                message = self.bugs.message(error, "it was judged", name)
                self._judgements[name] = self._unproven(claim, f"unproven: {message}", message)
        return self._judgements[name]

    def is_as_declared(self, claim: DeclaredClaim) -> bool:
        """Return whether the verdict on ``claim`` is the declared one; never of a misplaced claim."""
        return self.judgement(claim.name).verdict == claim.declared and claim.name not in self.misplaced

    def accepts(self, absence: MissingRecording) -> bool:
        """Return whether what is missing is not installed, and conf.py accepts that."""
        return self.accepts_absence and absence.uninstalled

    def is_not_checked(self, name: str) -> bool:
        """Return whether this machine only lacks what the claim ``name`` needs, and conf.py accepts that."""
        self.judgement(name)
        return self.accepts_absence and name in self.missing

    def warning_type(self, claim: DeclaredClaim) -> str:
        """Return the type of the warning that ``claim`` is not as declared."""
        self.judgement(claim.name)
        return "absent" if claim.name in self.missing else "claim"

    def verdict_text(self, name: str) -> str:
        """Return what readers see of the verdict on the claim ``name``."""
        return NOT_CHECKED if self.is_not_checked(name) else str(self.judgement(name).verdict)

    def _judge_search(self, claim: DeclaredClaim) -> Judgement:
        from sphinx_djconn.ext.bisection import judged  # noqa: PLC0415 - as above

        judgement, misplaced = judged(claim, self)
        search = self.searches.get(claim.name)
        if search is not None and judgement.verdict is Verdict.UNPROVEN:
            self._note_missing(claim, search.passed())
        return self._unproven(claim, misplaced, judgement.reason) if misplaced else judgement

    def _uninstalled(self, absent: Iterable[DeclaredScenario]) -> tuple[str, ...]:
        """Return what is not installed, if that is why none of the ``absent`` cells has a run; else nothing."""
        absences = [self.absences.get(cell.name) for cell in absent]
        messages = [each.message for each in absences if each is not None and each.uninstalled]
        return tuple(dict.fromkeys(messages)) if len(messages) == len(absences) else ()

    def _note_missing(self, claim: DeclaredClaim, absent: Iterable[DeclaredScenario]) -> None:
        missing = self._uninstalled(absent)
        if missing:
            self.missing[claim.name] = missing

    def _judge(self, claim: DeclaredClaim) -> Judgement:
        try:
            named = chosen(self.declared, claim.scenario)
            made_of = self._made_of(named)
            kept = self.kept(claim.name, claim, made_of)
            if kept is not None:
                return kept
            about = narrowed(named, claim.where)
        except ChoiceError as error:
            return self._unproven(claim, f"a claim about nothing: {error}", str(error))
        try:
            expression = self._checked(about, lambda scenario: claim_expression(claim, scenario))
        except ExpressionError as error:
            return self._unproven(claim, error.shown, str(error))
        names = {about.label(cell): cell.name for cell in about.cells}
        facts = {label: self.facts(name) for label, name in names.items()}
        absent = [cell for cell in about.cells if self._is_absent(cell)]
        if expression is None or (absent and about.matrix is None):
            self._note_missing(claim, absent)
            absence = self.absences.get(claim.scenario)
            message = (
                f"unproven: no run of the {about.kind} `{claim.scenario}` reached its end; its own warning"
            )
            reason = "no run reached its end" if absence is None else absence.message
            return self._unproven(claim, f"{message} says why", reason)
        sometimes = claim.sometimes is not None
        found = judge_cells(expression, facts, sometimes=sometimes)
        found = found._replace(cell=names[found.cell] if about.matrix is not None and found.cell else "")
        if absent and found.verdict is Verdict.UNPROVEN:
            run = {label: runs for label, runs in facts.items() if runs}
            if not run or judge_cells(expression, run, sometimes=sometimes).verdict is not Verdict.UNPROVEN:
                self._note_missing(claim, absent)
            reason = "; ".join((found.reason, *self.missing.get(claim.name, ())))
            return self._unproven(
                claim, f"unproven: {found.reason}; its own warning says why", reason, found.cell
            )
        if not absent:
            self.keep(claim.name, claim, made_of, found)
        return found

    def kept(self, name: str, claim: DeclaredClaim, made_of: str) -> Judgement | None:
        """Return what an earlier build has judged under ``name``, where ``claim`` and recordings are the same.

        ``made_of`` changes whenever the recordings do.
        """
        known = self._registry.judgements.get(name)
        return known[1] if known is not None and known[0] == (_asked(claim), made_of) else None

    def keep(self, name: str, claim: DeclaredClaim, made_of: str, judgement: Judgement) -> None:
        """Keep ``judgement`` for later builds."""
        self._registry.judgements[name] = ((_asked(claim), made_of), judgement)

    def _made_of(self, named: Target) -> str:
        """Return what changes whenever the recordings of what is ``named`` do."""
        if named.matrix is None:
            return self.stamp(named.cells[0].name)
        return digest([[cell.name, self.stamp(cell.name)] for cell in named.cells])

    def _is_absent(self, cell: DeclaredScenario) -> bool:
        return cell.scenario is None or cell.name in self.absences

    def _checked(self, about: Target, read: "Callable[[Scenario], Expression]") -> "Expression | None":
        """Return the expression that ``read`` returns, whose names every cell has; ``None`` without a cell."""
        expression = None
        checked: set[tuple[str, ...]] = set()
        for cell in about.cells:
            if cell.scenario is None or cell.scenario.sequence.labels in checked:
                continue
            checked.add(cell.scenario.sequence.labels)
            try:
                expression = read(cell.scenario)
            except ExpressionError as error:
                if about.matrix is None:
                    raise
                message = f"{error.message} (in the cell {about.label(cell)})"
                raise ExpressionError(message, error.hint, error.text, error.column) from error
        return expression

    def _unproven(self, claim: DeclaredClaim, message: str, reason: str, cell: str = "") -> Judgement:
        self.misplaced[claim.name] = message
        return Judgement(Verdict.UNPROVEN, reason, cell)

    def figure(self, name: str, text: str) -> str:
        """Return the figure of the expression ``text`` in ``name``: a scenario, a matrix, or cells of it.

        Raises :class:`FactError` where there is none.
        """
        try:
            return self._figure(name, text)
        except FactError:
            raise
        except (ExpressionError, ChoiceError) as error:
            raise FactError(str(error)) from error
        except Exception as error:
            raise FactError(self.bugs.message(error, "the figure was looked up", name)) from error

    def _figure(self, name: str, text: str) -> str:
        about = chosen(self.declared, name)
        if not text:
            raise FactError("name a fact after the scenario, as in `keep-alive threads`")
        expression = self._checked(about, lambda scenario: figure_expression(text, scenario))
        runs = [run for cell in about.cells for run in self.facts(cell.name)]
        absent = [cell for cell in about.cells if self._is_absent(cell)]
        if expression is None or absent:
            what = f"cell `{absent[0].name}`" if absent and about.matrix else f"{about.kind} `{name}`"
            missing = self._uninstalled(absent)
            why = f": {'; '.join(missing)}" if missing else "; its own warning says why"
            raise FactError(f"no run of the {what} reached its end{why}", absent=bool(missing))
        figures = [expression.figure(run) for run in runs]
        unknown = next((figure for figure in figures if isinstance(figure, Unknown)), None)
        if unknown is not None:
            raise FactError(unknown.reason)
        return figure_text(figures)

    def checked_with(self, claim: DeclaredClaim, *, anywhere: bool = False) -> set[str]:
        """Return the versions of Django that ``claim`` was checked with, in the cells that it chooses.

        ``anywhere`` asks for those of all cells of its matrix, which takes no reading of ``:where:``.
        """
        cells: Iterable[DeclaredScenario] = ()
        if claim.releases is not None:
            search = self.searches.get(claim.name)
            cells = search.cells.values() if search else ()
        else:
            with suppress(ChoiceError):
                cells = narrowed(chosen(self.declared, claim.scenario), None if anywhere else claim.where).cells
        return {self._djangos[cell.name] for cell in cells if cell.name in self._djangos}

    def told(self, scenario: str, message: str, subtype: str) -> None:
        """Warn at the place of ``scenario``. A build in which that happens seals nothing."""
        declared = self.scenarios[scenario]
        self.seal = None
        warn(declared.subject, message, subtype, str(declared.place))

    def outdated(self, written: Mapping[str, str]) -> list[str]:
        """Return the pages that show something else than what they were ``written`` with."""
        return [page for page, shown in self.shown.items() if written.get(page) != shown]

    @cached_property
    def shown(self) -> dict[str, str]:
        """By page, a digest of all results that it shows."""
        return shown_on(self._registry.pages, self)


def _asked(claim: DeclaredClaim) -> str:
    return f"{claim.where} {claim.expect} {claim.sometimes} {claim.declared} {__version__}"
