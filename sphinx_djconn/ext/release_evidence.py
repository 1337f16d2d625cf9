"""The evidence of a claim about releases, from the results of its search."""

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
from sphinx_djconn.ext.recordings import MissingRecording
from sphinx_djconn.ext.registry import DeclaredScenario
from sphinx_djconn.ext.results import Results


def release_evidence(search: Bisection, results: Results, parts: Sequence[str]) -> list[nodes.Node]:
    """Return the table of releases, the failures, and ``parts`` of both sides of the change."""
    if not search.cells:
        return []
    releases = _Releases(search, results)
    rows = list(releases.rows())
    truths = [(n, row.truth) for n, row in enumerate(rows) if isinstance(row, ShownRelease)]
    decided = [(n, truth) for n, truth in truths if truth is not None]
    changes = [n for (_, before), (n, after) in pairwise(decided) if before != after]
    return [
        releases_table(releases.facts, rows, changes),
        *releases.failures(),
        *releases.sides(search.outcome(), parts),
    ]


class _Releases:
    """What is shown of the releases of one search."""

    def __init__(self, search: Bisection, results: Results) -> None:
        self._search = search
        self._results = results
        self._recordings = results.recordings
        self._names = search.releases.names
        self.facts = list(dict.fromkeys(self._facts()))

    def _facts(self) -> Iterator[str]:
        for cell in self._search.cells.values():
            for facts in self._recordings.facts(cell.name):
                yield from self._search.expression.values(facts)

    def rows(self) -> Iterator[ShownRelease | Gap]:
        """Yield a row for each release that was needed, and for those between that were not."""
        results = self._search.results()
        start = 0
        for position in [*sorted(results), len(self._names)]:
            if start < position:
                yield Gap(self._names[start], self._names[position - 1], position - start)
            if position in results:
                truth, cell = results[position].truth, self._search.cells[position]
                python = self._setting(cell, "Python")
                yield ShownRelease(self._name(position), python, truth, self._figures(cell))
            start = position + 1

    def _name(self, position: int) -> str:
        """Return the release's version, with the environment's name if that does not contain it."""
        name, version = self._names[position], self._setting(self._search.cells[position], "Django")
        if not version:
            return name
        return version if _is_named_after(version, name) else f"{version} ({name})"

    def _setting(self, cell: DeclaredScenario, name: str) -> str:
        recording = self._recordings.recording(cell.name)
        return recording.runs[0].settings.get(name, "") if recording is not None else ""

    def _figures(self, cell: DeclaredScenario) -> tuple[str, ...]:
        values: list[dict[str, object]] = []
        for facts in self._recordings.facts(cell.name):
            try:
                values.append(self._search.expression.values(facts))
            except ExpressionError:  # pragma: no cover - a fact without a value is left out
                values.append({})
        if not values:
            return ()
        return tuple(
            figure_text([run[fact] for run in values]) if all(fact in run for run in values) else "—"
            for fact in self.facts
        )

    def failures(self) -> list[nodes.Node]:
        """Return why releases could not be run; releases with the same reason have one message."""
        groups: dict[MissingRecording, list[str]] = {}
        for position, cell in sorted(self._search.cells.items()):
            missing = self._recordings.missing.get(cell.name)
            if missing is not None:
                groups.setdefault(missing, []).append(self._names[position])
        shown: list[nodes.Node] = []
        for missing, names in groups.items():
            accepted = self._results.is_accepted(missing)
            why = f"{NOT_CHECKED}, " if accepted else ""
            message = f"Django {', '.join(names)}: {why}{missing.message}."
            shown += failure(message, missing.log, accepted=accepted)
        return shown

    def sides(self, verdict: ReleaseVerdict, parts: Sequence[str]) -> list[nodes.Node]:
        """Return the evidence of the releases before and after the change, if there is one."""
        if verdict.before is None or verdict.after is None or not parts:
            return []
        return side_by_side([self._side(position, parts) for position in (verdict.before, verdict.after)])

    def _side(self, position: int, parts: Sequence[str]) -> Side:
        cell, name = self._search.cells[position], self._names[position]
        recording = self._recordings.recording(cell.name)
        if recording is None:
            return Side(name, failure(f"{self._recordings.missing[cell.name].message}.", ()))
        version = self._setting(cell, "Django")
        title = f"Django {version} (Python {self._setting(cell, 'Python')})"
        if not _is_named_after(version, name):
            title = f"{name}: {title}"
        return Side(title, evidence(recording.key.scenario, recording.runs, parts))


def _is_named_after(version: str, name: str) -> bool:
    """Return whether ``name`` is the release ``version``, or its series."""
    return name in (version, f"{version}.0") or version.startswith(f"{name}.")
