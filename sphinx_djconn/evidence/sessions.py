"""The ``sessions`` part: one row for each step, with the database server's sessions at its end."""

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
    """Return the table of the sessions in ``trace``, the number of its rows, and a summary for its title.

    The table is empty if the database has no server.
    """
    steps = trace.entities.sessions
    if not steps:
        return [], 0, ""
    lines = scenario.sequence.text.splitlines()
    texts = [lines[step.line].strip() if step.line < len(lines) else "" for step in scenario.sequence.steps]
    rows: list[list[Cell]] = [
        [str(step), literal(printable(texts[step - 1])), _count(sessions), _names(sessions)]
        for step, sessions in steps.items()
    ]
    if len(rows) > _STEPS_MOST:
        left = f"… {number(len(rows) - _HEAD - _TAIL)} more …"
        rows = [*rows[:_HEAD], ["…", left, "", ""], *rows[-_TAIL:]]
    columns = [("#", 8), ("At the end of", 42), ("Sessions", 12), ("Which", 38)]
    has_others = any(session.connection is None for sessions in steps.values() for session in sessions)
    notes = [note(_UNKNOWN)] if has_others else []
    if any(session.state == ABANDONED for sessions in steps.values() for session in sessions):
        notes.append(note(_DEPENDS))
    last = _count(next(reversed(steps.values())))
    return [table(columns, rows, "djconn-sessions"), *notes], len(rows), f"{last} at the end"


def _count(sessions: list[Session]) -> str:
    """Return the number of sessions, or its bounds."""
    certain = sum(session.state != ABANDONED for session in sessions)
    return number(certain) if certain == len(sessions) else f"{number(certain)} to {number(len(sessions))}"


def _names(sessions: list[Session]) -> str:
    """Return the names of the sessions with their states, in the order of the names."""
    of_wrappers = sorted(
        (session.connection.name[0], int(session.connection.name[1:]), session.state)
        for session in sessions
        if session.connection is not None
    )
    texts = [f"{letter}{serial} {printable(state)}" for letter, serial, state in of_wrappers]
    if len(texts) > _NAMED_MOST:
        texts[_NAMED_MOST - 1 :] = [f"… {number(len(texts) - _NAMED_MOST + 1)} more"]
    others = Counter(session.state for session in sessions if session.connection is None)
    texts += [
        f"{number(count)} not of a wrapper, {printable(state)}" for state, count in sorted(others.items())
    ]
    return "; ".join(texts) or "—"
