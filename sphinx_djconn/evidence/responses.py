"""The ``responses`` part: the JSON bodies of the responses to labelled requests."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from docutils import nodes

from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.evidence.nodes import Cell, literal, table
from sphinx_djconn.evidence.text import number, printable
from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.reading import Trace

_LONGEST_JSON: Final = 200
_KEYS_MOST: Final = 6
_ROWS_MOST, _ROWS_HEAD, _ROWS_TAIL = 60, 40, 12
_NOTHING: Final = "—"


def responses_table(trace: Trace) -> tuple[list[nodes.Node], int]:
    """Return the table of the responses to labelled requests of ``trace``, and their number.

    If all bodies are objects with the same few members, each member has a column.
    """
    requests = [request for request in trace.entities.requests.values() if request.label is not None]
    if not requests:
        return [], 0
    keys = _common_keys([request.body for request in requests if request.body is not None])
    titles = ["JSON"] if keys is None else [printable(key) for key in keys]
    columns = [("#", 8), ("Request", 18), ("Status", 10), *((title, 64 // len(titles)) for title in titles)]
    rows = [_row(request, keys) for request in requests]
    return [table(columns, _without_middle(rows), "djconn-responses")], len(rows)


def _common_keys(values: Sequence[Any]) -> list[str] | None:
    """Return the keys of ``values`` if all are flat objects with the same few keys, else ``None``."""
    if not values or not all(isinstance(value, Mapping) for value in values):
        return None
    keys = list(values[0])
    same = all(value.keys() == values[0].keys() for value in values)
    flat = all(_is_flat(member) for value in values for member in value.values())
    return keys if same and flat and 1 <= len(keys) <= _KEYS_MOST else None


def _is_flat(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(item, (list, Mapping)) for item in value)
    return not isinstance(value, Mapping)


def _row(request: RequestEntity, keys: Sequence[str] | None) -> list[Cell]:
    status = f"none ({request.error})" if request.error else str(request.status or _NOTHING)
    label = nodes.emphasis("", printable(request.label or ""))
    head: list[Cell] = [str(request.number), label, printable(status)]
    if request.body is None:
        return head + [_NOTHING] * len(keys or ["JSON"])
    if keys is None:
        text = json.dumps(request.body, ensure_ascii=False)
        return [*head, literal(printable(text, _LONGEST_JSON))]
    return head + [_member(request.body[key]) for key in keys]


def _member(value: Any) -> Cell:
    """Return ``value`` in the format of figures, as a literal unless it is null or an empty list."""
    return value_text(value) if value is None or value == [] else literal(value_text(value))


def _without_middle(rows: list[list[Cell]]) -> list[list[Cell]]:
    if len(rows) <= _ROWS_MOST:
        return rows
    left_out = len(rows) - _ROWS_HEAD - _ROWS_TAIL
    remark: list[Cell] = [f"… {number(left_out)} more …", *[""] * (len(rows[0]) - 1)]
    return [*rows[:_ROWS_HEAD], remark, *rows[-_ROWS_TAIL:]]
