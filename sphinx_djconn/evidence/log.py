"""The ``log`` part: the lines of the server's log, with the probe's events between them."""

from typing import Final

from sphinx_djconn.evidence.event_text import EventFormatter
from sphinx_djconn.evidence.log_lexer import BAR
from sphinx_djconn.evidence.text import middle, printable
from sphinx_djconn.evidence.timeline import Entry, timeline
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.reading import Trace

_HEAD, _TAIL = 150, 50
_WIDEST: Final = 24


def log_lines(scenario: Scenario, trace: Trace) -> list[str]:
    """Return the lines of the log part; of a long log only the beginning and the end.

    ``# `` begins a step, ``T1 │`` an event in thread T1; other lines are the server's own.
    """
    entries: list[Entry] = []
    for section in timeline(trace):
        if section.step is not None:
            entries += ["", *(f"# {line}" for line in section.step.splitlines())]
        entries += section.entries()
    formatter = EventFormatter(trace, {request.client for request in scenario.sequence.requests()})
    parts = [_parts(entry, formatter) for entry in middle(entries, _HEAD, _TAIL)]
    width = min(_WIDEST, max((len(source) for source, _ in parts if source), default=0))
    return _without_extra_blanks(
        [line if source is None else f"{source:>{width}} {BAR} {line}" for source, line in parts]
    )


def _parts(entry: Entry, formatter: EventFormatter) -> tuple[str | None, str]:
    if isinstance(entry, str):
        return None, printable(entry.rstrip("\r\n")).replace(BAR, "|")
    return formatter.format(entry)


def _without_extra_blanks(lines: list[str]) -> list[str]:
    """Return ``lines`` without blank ones at the beginning and the end, and with single ones between."""
    result: list[str] = []
    for line in lines:
        if line.strip() or (result and result[-1]):
            result.append(line.rstrip())
    while result and not result[-1]:
        del result[-1]
    return result
