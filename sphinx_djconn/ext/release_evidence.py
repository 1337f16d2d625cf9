"""The evidence of a claim about releases, from what its search has found."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from docutils import nodes

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.figures import figure_text
from sphinx_djconn.claims.release_verdict import ReleaseVerdict
from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.evidence.releases_table import Gap, ShownRelease, Side, releases_table, side_by_side
from sphinx_djconn.ext.bisection import Bisection
from sphinx_djconn.ext.recorded import MissingRecording
from sphinx_djconn.ext.registry import DeclaredScenario
from sphinx_djconn.ext.results import Results


def change_evidence(search: Bisection, results: Results, parts: Sequence[str]) -> list[nodes.Node]:
    """Return the table of the releases that were run, why others could not be, and ``parts`` of both sides."""
    if not search.cells:
        return []
    reading = _Reading(search, results)
    found = search.outcome()
    rows = list(reading.rows())
    truths = [(n, row.truth) for n, row in enumerate(rows) if isinstance(row, ShownRelease)]
    run = [(n, truth) for n, truth in truths if truth is not None]
    changes = [n for (_, before), (n, after) in pairwise(run) if before != after]
    return [
        releases_table(reading.facts, rows, changes),
        *reading.failures(),
        *reading.sides(found, parts),
    ]


class _Reading:
    def __init__(self, search: Bisection, results: Results) -> None:
        self._search = search
        self._results = results
        self._names = search.releases.names
        self.facts = list(dict.fromkeys(self._facts()))

    def _facts(self) -> Iterator[str]:
        for cell in self._search.cells.values():
            for facts in self._results.facts(cell.name):
                yield from self._search.expression.values(facts)

    def rows(self) -> Iterator[ShownRelease | Gap]:
        """Yield a row for each release that was to be run, and for those between that were not."""
        told = self._search.told()
        begun = 0
        for position in [*sorted(told), len(self._names)]:
            if begun < position:
                yield Gap(self._names[begun], self._names[position - 1], position - begun)
            if position in told:
                truth, cell = told[position].truth, self._search.cells[position]
                yield ShownRelease(self._name(position), self._python(cell), truth, self._figures(cell))
            begun = position + 1

    def _name(self, position: int) -> str:
        """Return which release it is, and the name of an environment that does not say so."""
        name, version = self._names[position], self._version(self._search.cells[position])
        if not version:
            return name
        return version if _is_of(version, name) else f"{version} ({name})"

    def _version(self, cell: DeclaredScenario) -> str:
        return self._setting(cell, "Django")

    def _python(self, cell: DeclaredScenario) -> str:
        return self._setting(cell, "Python")

    def _setting(self, cell: DeclaredScenario, name: str) -> str:
        recording = self._results.recording(cell.name)
        return recording.runs[0].settings.get(name, "") if recording is not None else ""

    def _figures(self, cell: DeclaredScenario) -> tuple[str, ...]:
        values: list[dict[str, object]] = []
        for facts in self._results.facts(cell.name):
            try:
                values.append(self._search.expression.values(facts))
            except ExpressionError:  # pragma: no cover - a fact without a value is left out
                values.append({})
        if not values:
            return ()
        return tuple(
            figure_text([each[fact] for each in values]) if all(fact in each for each in values) else "—"
            for fact in self.facts
        )

    def failures(self) -> list[nodes.Node]:
        """Return why releases could not be run: once, where it is the same."""
        alike: dict[MissingRecording, list[str]] = {}
        for position, cell in sorted(self._search.cells.items()):
            absence = self._results.absences.get(cell.name)
            if absence is not None:
                alike.setdefault(absence, []).append(self._names[position])
        shown: list[nodes.Node] = []
        for absence, names in alike.items():
            accepted = self._results.accepts(absence)
            why = f"{NOT_CHECKED}, " if accepted else ""
            message = f"Django {', '.join(names)}: {why}{absence.message}."
            shown += failure(message, absence.log, accepted=accepted)
        return shown

    def sides(self, found: ReleaseVerdict, parts: Sequence[str]) -> list[nodes.Node]:
        """Return the evidence of the releases before and after the change, where there is one."""
        if found.before is None or found.after is None or not parts:
            return []
        return side_by_side([self._side(each, parts) for each in (found.before, found.after)])

    def _side(self, position: int, parts: Sequence[str]) -> Side:
        cell = self._search.cells[position]
        recording = self._results.recording(cell.name)
        if recording is None:
            return Side(self._names[position], failure(f"{self._results.absences[cell.name].message}.", ()))
        name, version = self._names[position], self._version(cell)
        title = f"Django {version} (Python {self._python(cell)})"
        if not _is_of(version, name):
            title = f"{name}: {title}"
        return Side(title, evidence(recording.key.scenario, recording.runs, parts))


def _is_of(version: str, name: str) -> bool:
    """Return whether ``name`` is that of the release ``version``, or of its series."""
    return name in (version, f"{version}.0") or version.startswith(f"{name}.")
