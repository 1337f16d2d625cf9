"""The parts of the evidence, by the names that ``:show:`` knows.

What a part is made with comes when it is made: directives need no more than the names.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from docutils import nodes

from sphinx_djconn.evidence.log_lexer import LOG_LANGUAGE
from sphinx_djconn.evidence.nodes import fold, lines_block, literal, note, table
from sphinx_djconn.evidence.text import middle, number, printable

if TYPE_CHECKING:
    from sphinx_djconn.scenario.model import Scenario
    from sphinx_djconn.trace.reading import Trace

_TALL_TABLE: Final = 12
_TALL_BLOCK: Final = 40
_SEQUENCE_HEAD, _SEQUENCE_TAIL = 100, 20


class Body(NamedTuple):
    """What a part shows. ``lines`` is its height; ``gist`` stands in its title while it is folded."""

    children: Sequence[nodes.Node]
    lines: int
    gist: str


class Part(NamedTuple):
    """A part of the evidence: its title, what it shows, and the function that builds it.

    An ``aside`` is folded wherever it is not the first part. ``which`` tells of which runs a part is,
    in a text with a place for their number; it is empty where runs make no difference.
    """

    title: str
    description: str
    build: "Callable[[Scenario, Sequence[Trace]], Body]"
    aside: bool = False
    which: str = ""


def _sequence(scenario: "Scenario", _: "Sequence[Trace]") -> Body:
    lines = [line.rstrip() for line in scenario.sequence.text.strip("\n").splitlines()]
    kept = [printable(line) for line in middle(lines, _SEQUENCE_HEAD, _SEQUENCE_TAIL)]
    return Body([lines_block(kept)], len(kept), f"{number(len(lines))} lines")


def _requests(scenario: "Scenario", runs: "Sequence[Trace]") -> Body:
    from sphinx_djconn.evidence.requests import requests_table  # noqa: PLC0415

    children, rows = requests_table(scenario, runs[0])
    return Body(children, rows, number(len(runs[0].entities.requests)))


def _sessions(scenario: "Scenario", runs: "Sequence[Trace]") -> Body:
    from sphinx_djconn.evidence.sessions import sessions_table  # noqa: PLC0415

    children, rows, gist = sessions_table(scenario, runs[0])
    return Body(children, rows, gist)


def _responses(_: "Scenario", runs: "Sequence[Trace]") -> Body:
    from sphinx_djconn.evidence.responses import responses_table  # noqa: PLC0415

    children, rows = responses_table(runs[0])
    return Body(children, rows, number(rows))


def _summary(_: "Scenario", runs: "Sequence[Trace]") -> Body:
    from sphinx_djconn.evidence.summary import Summary  # noqa: PLC0415

    summary = Summary(runs)
    return Body([summary.table()], len(summary.rows), summary.gist)


def _log(scenario: "Scenario", runs: "Sequence[Trace]") -> Body:
    from sphinx_djconn.evidence.log import log_lines  # noqa: PLC0415

    lines = log_lines(scenario, runs[0])
    return Body([lines_block(lines, LOG_LANGUAGE)] if lines else [], len(lines), "")


def _settings(_: "Scenario", runs: "Sequence[Trace]") -> Body:
    settings = runs[0].settings
    rows = [(printable(name), literal(text)) for name, text in settings.items()]
    children = [table([("Setting", 30), ("Value", 70)], rows, "djconn-settings")] if rows else []
    return Body(children, len(rows), "")


_FIRST: Final = "first of {} runs"

PARTS: Final = {
    "sequence": Part("Sequence", "what was sent, as written in the page", _sequence),
    "requests": Part(
        "Requests",
        "a row a request: who sent it, its status, and the HTTP connection, the thread and the "
        "database connection that served it",
        _requests,
        which=_FIRST,
    ),
    "responses": Part(
        "Responses",
        "a row for each request that has a label: the status, and what its body says where that is JSON",
        _responses,
        which=_FIRST,
    ),
    "sessions": Part(
        "Sessions",
        "a row a step: the sessions that the database server has at its end, where there is a server",
        _sessions,
        which=_FIRST,
    ),
    "summary": Part("Summary", "the facts, over all runs", _summary, aside=True, which="{} runs"),
    "log": Part(
        "Server log and probe",
        "the server's own log, with what the probe saw between its lines",
        _log,
        aside=True,
        which=_FIRST,
    ),
    "settings": Part("Settings", "what the server was started with", _settings, aside=True),
}
"""Name to :class:`Part`."""

DEFAULT_PARTS: Final = ("sequence", "requests", "sessions", "summary", "log", "settings")
"""The parts that are shown where a page chooses none."""


def evidence(
    scenario: "Scenario", runs: "Sequence[Trace]", parts: Sequence[str] = DEFAULT_PARTS
) -> list[nodes.Node]:
    """Return the nodes that show ``parts`` of what ``runs`` of ``scenario`` left behind.

    There is at least one run. A name that :data:`PARTS` does not have raises :class:`KeyError`.
    """
    shown: list[nodes.Node] = []
    for position, name in enumerate(parts):
        part = PARTS[name]
        body = part.build(scenario, runs)
        if body.children:
            shown += _placed(part, body, len(runs), first=position == 0)
    return shown


def _placed(part: Part, body: Body, runs: int, *, first: bool) -> list[nodes.Node]:
    """Return ``body`` as it is, or folded below the title of ``part``."""
    which = part.which.format(runs) if runs > 1 else ""
    tall = body.lines > (_TALL_BLOCK if first and part.aside else _TALL_TABLE)
    if not tall and (first or not part.aside):
        return [*body.children, *([note(f"{which.capitalize()}.")] if which else [])]
    title = ": ".join(filter(None, (part.title, body.gist)))
    return [fold(f"{title} ({which})" if which else title, *body.children)]
