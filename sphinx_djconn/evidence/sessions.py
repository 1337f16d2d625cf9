"""The ``sessions`` part: a row a step, with the sessions that the database server has at its end."""

from collections import Counter
from typing import Final

from docutils import nodes

from sphinx_djconn.evidence.nodes import Cell, literal, note, table
from sphinx_djconn.evidence.text import number, printable
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.entities import Session
from sphinx_djconn.trace.garbage_collection import ABANDONED
from sphinx_djconn.trace.reading import Trace

_NAMED_MOST: Final = 12
_STEPS_MOST: Final = 60
_HEAD: Final = 40
_TAIL: Final = 12
_DEPENDS: Final = (
    "Abandoned: the server may have the session or not, depending on when Python's garbage collector runs. The "
    "option garbage-collection of a scenario chooses that."
)
_UNKNOWN: Final = (
    "Not of a wrapper: a session that no wrapper of Django's has ever had, such as one that a pool keeps ready."
)


def sessions_table(scenario: Scenario, trace: Trace) -> tuple[list[nodes.Node], int, str]:
    """Return the table of the sessions in ``trace``, how many rows it has, and its gist.

    It is empty where the database has no server.
    """
    steps = trace.entities.sessions
    if not steps:
        return [], 0, ""
    lines = scenario.sequence.text.splitlines()
    texts = [lines[step.line].strip() if step.line < len(lines) else "" for step in scenario.sequence.steps]
    rows: list[list[Cell]] = [
        [str(step), literal(printable(texts[step - 1])), _counted(found), _named(found)]
        for step, found in steps.items()
    ]
    if len(rows) > _STEPS_MOST:
        left = f"… {number(len(rows) - _HEAD - _TAIL)} more …"
        rows = [*rows[:_HEAD], ["…", left, "", ""], *rows[-_TAIL:]]
    columns = [("#", 8), ("At the end of", 42), ("Sessions", 12), ("Which", 38)]
    unknown = any(session.connection is None for found in steps.values() for session in found)
    notes = [note(_UNKNOWN)] if unknown else []
    if any(session.state == ABANDONED for found in steps.values() for session in found):
        notes.append(note(_DEPENDS))
    last = _counted(next(reversed(steps.values())))
    return [table(columns, rows, "djconn-sessions"), *notes], len(rows), f"{last} at the end"


def _counted(sessions: list[Session]) -> str:
    """Return how many sessions there are, or between how many."""
    certain = sum(session.state != ABANDONED for session in sessions)
    return number(certain) if certain == len(sessions) else f"{number(certain)} to {number(len(sessions))}"


def _named(sessions: list[Session]) -> str:
    """Return the names of the sessions with their states, in the order of the names."""
    known = sorted(
        (each.connection.name[0], int(each.connection.name[1:]), each.state)
        for each in sessions
        if each.connection is not None
    )
    texts = [f"{letter}{serial} {printable(state)}" for letter, serial, state in known]
    if len(texts) > _NAMED_MOST:
        texts[_NAMED_MOST - 1 :] = [f"… {number(len(texts) - _NAMED_MOST + 1)} more"]
    unknown = Counter(each.state for each in sessions if each.connection is None)
    texts += [
        f"{number(count)} not of a wrapper, {printable(state)}" for state, count in sorted(unknown.items())
    ]
    return "; ".join(texts) or "—"
