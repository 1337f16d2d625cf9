"""The parts of the evidence, by their names in ``:show:``."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from docutils import nodes

from sphinx_djconn.evidence.log import log_lines
from sphinx_djconn.evidence.log_lexer import LOG_LANGUAGE
from sphinx_djconn.evidence.nodes import details_node, lines_block, literal, note, table
from sphinx_djconn.evidence.requests import requests_table
from sphinx_djconn.evidence.responses import responses_table
from sphinx_djconn.evidence.sessions import sessions_table
from sphinx_djconn.evidence.summary import Summary
from sphinx_djconn.evidence.text import middle, number, printable
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.reading import Trace

_TALL_TABLE: Final = 12
_TALL_BLOCK: Final = 40
_SEQUENCE_HEAD, _SEQUENCE_TAIL = 100, 20


class Body(NamedTuple):
    """The content of a part. ``lines`` is its height; ``summary`` is added to the title if it is folded."""

    children: Sequence[nodes.Node]
    lines: int
    summary: str


class Part(NamedTuple):
    """A part of the evidence: its title, what it shows, and the function that builds it.

    A ``secondary`` part is folded unless it is the first one. ``runs_text`` says which runs the part shows,
    with a placeholder for their number; it is empty if the part is the same for all runs.
    """

    title: str
    description: str
    build: Callable[[Scenario, Sequence[Trace]], Body]
    secondary: bool = False
    runs_text: str = ""


def _sequence(scenario: Scenario, _: Sequence[Trace]) -> Body:
    lines = [line.rstrip() for line in scenario.sequence.text.strip("\n").splitlines()]
    shown = [printable(line) for line in middle(lines, _SEQUENCE_HEAD, _SEQUENCE_TAIL)]
    return Body([lines_block(shown)], len(shown), f"{number(len(lines))} lines")


def _requests(scenario: Scenario, runs: Sequence[Trace]) -> Body:
    children, rows = requests_table(scenario, runs[0])
    return Body(children, rows, number(len(runs[0].entities.requests)))


def _sessions(scenario: Scenario, runs: Sequence[Trace]) -> Body:
    children, rows, summary = sessions_table(scenario, runs[0])
    return Body(children, rows, summary)


def _responses(_: Scenario, runs: Sequence[Trace]) -> Body:
    children, rows = responses_table(runs[0])
    return Body(children, rows, number(rows))


def _summary(_: Scenario, runs: Sequence[Trace]) -> Body:
    summary = Summary(runs)
    return Body([summary.table()], len(summary.rows), summary.title)


def _log(scenario: Scenario, runs: Sequence[Trace]) -> Body:
    lines = log_lines(scenario, runs[0])
    return Body([lines_block(lines, LOG_LANGUAGE)] if lines else [], len(lines), "")


def _settings(_: Scenario, runs: Sequence[Trace]) -> Body:
    settings = runs[0].settings
    rows = [(printable(name), literal(text)) for name, text in settings.items()]
    children = [table([("Setting", 30), ("Value", 70)], rows, "djconn-settings")] if rows else []
    return Body(children, len(rows), "")


_FIRST: Final = "first of {} runs"

PARTS: Final = {
    "sequence": Part("Sequence", "the sequence, as written on the page", _sequence),
    "requests": Part(
        "Requests",
        "a row for each request: its client, its status, and the HTTP connection, the thread and the "
        "database connection that handled it",
        _requests,
        runs_text=_FIRST,
    ),
    "responses": Part(
        "Responses",
        "a row for each request with a label: the status, and the body if it is JSON",
        _responses,
        runs_text=_FIRST,
    ),
    "sessions": Part(
        "Sessions",
        "a row for each step: the database server's sessions at its end, if there is a server",
        _sessions,
        runs_text=_FIRST,
    ),
    "summary": Part("Summary", "the facts, over all runs", _summary, secondary=True, runs_text="{} runs"),
    "log": Part(
        "Server log and probe",
        "the server's own log, with the probe's events between its lines",
        _log,
        secondary=True,
        runs_text=_FIRST,
    ),
    "settings": Part("Settings", "the settings and versions of the run", _settings, secondary=True),
}
"""The parts by name."""

DEFAULT_PARTS: Final = ("sequence", "requests", "sessions", "summary", "log", "settings")
"""The parts that are shown by default."""


def evidence(
    scenario: Scenario, runs: Sequence[Trace], parts: Sequence[str] = DEFAULT_PARTS
) -> list[nodes.Node]:
    """Return the nodes of ``parts`` for the ``runs`` of ``scenario``, of which there is at least one.

    Raises :class:`KeyError` for a name that is not in :data:`PARTS`.
    """
    shown: list[nodes.Node] = []
    for position, name in enumerate(parts):
        part = PARTS[name]
        body = part.build(scenario, runs)
        if body.children:
            shown += _placed(part, body, len(runs), first=position == 0)
    return shown


def _placed(part: Part, body: Body, runs: int, *, first: bool) -> list[nodes.Node]:
    """Return ``body``, folded below the title of ``part`` if it is tall or secondary."""
    runs_text = part.runs_text.format(runs) if runs > 1 else ""
    tall = body.lines > (_TALL_BLOCK if first and part.secondary else _TALL_TABLE)
    if not tall and (first or not part.secondary):
        return [*body.children, *([note(f"{runs_text.capitalize()}.")] if runs_text else [])]
    title = ": ".join(filter(None, (part.title, body.summary)))
    return [details_node(f"{title} ({runs_text})" if runs_text else title, *body.children)]
