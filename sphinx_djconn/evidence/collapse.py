"""Shortens a long table: merges equal rows, and leaves out the middle of similar ones."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

_SIMILAR_MOST, _SIMILAR_HEAD, _SIMILAR_TAIL = 12, 5, 3
_ROWS_MOST, _ROWS_HEAD, _ROWS_TAIL = 60, 40, 12
_MERGE_LEAST = 3
_VALUES_MOST = 5


class CollapsedCell(NamedTuple):
    """A cell that names entities: the template ``{} opened`` and the names ``("C1",)``."""

    template: str
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the cell."""
        return self.template.format(*self.names)


class Row(NamedTuple):
    """The requests from ``first`` to ``last``. ``fixed`` are client, request and status.

    If the row replaces rows that are left out, ``left_out`` compares those with the rows that are shown.
    """

    first: int
    last: int
    label: str | None
    fixed: tuple[str, str, str]
    cells: tuple[CollapsedCell, ...]
    left_out: str | None = None

    @property
    def requests(self) -> int:
        """How many requests the row represents."""
        return self.last - self.first + 1

    def similarity_key(self) -> tuple[Any, ...]:
        """A key that is equal for rows that differ only in their numbers and in the names of entities."""
        return self._label_key, self.fixed, tuple(cell.template for cell in self.cells)

    def equality_key(self) -> tuple[Any, ...]:
        """A key that is equal for rows that differ only in their numbers."""
        return self._label_key, self.fixed, self.cells

    @property
    def _label_key(self) -> int | None:
        """A unique number for a row with a label, so that it is never merged."""
        return None if self.label is None else self.first


def collapse_rows(rows: list[Row]) -> list[Row]:
    """Merge equal rows, and leave out the middle of similar ones."""
    merged = _merge(rows)
    shortened: list[Row] = []
    for _, group in groupby(merged, Row.similarity_key):
        shortened += _without_middle(list(group), _SIMILAR_MOST, _SIMILAR_HEAD, _SIMILAR_TAIL, "like these")
    return _without_middle(shortened, _ROWS_MOST, _ROWS_HEAD, _ROWS_TAIL, "of several kinds")


def _merge(rows: Iterable[Row]) -> list[Row]:
    merged: list[Row] = []
    for _, equal in groupby(rows, Row.equality_key):
        group = list(equal)
        if len(group) < _MERGE_LEAST:
            merged += group
        else:
            merged.append(group[0]._replace(last=group[-1].last))
    return merged


def _without_middle(rows: list[Row], most: int, head: int, tail: int, which: str) -> list[Row]:
    if len(rows) <= most:
        return rows
    middle = rows[head:-tail]
    client, request, status = map(_common, zip(*(row.fixed for row in middle), strict=True))
    left_out = Row(
        middle[0].first,
        middle[-1].last,
        None,
        (client, request, status),
        tuple(map(_range, zip(*(row.cells for row in middle), strict=True))),
        left_out=which,
    )
    return [*rows[:head], left_out, *rows[-tail:]]


def _common(texts: Iterable[str]) -> str:
    different = list(dict.fromkeys(texts))
    return ", ".join(different) if len(different) <= _VALUES_MOST else "…"


def _range(cells: Sequence[CollapsedCell]) -> CollapsedCell:
    """Return one cell for similar ones: ``H6 to H9997 new`` if the names count up, else ``… new``."""
    if len({cell.template for cell in cells}) > 1:
        return CollapsedCell("…")
    columns = zip(*(cell.names for cell in cells), strict=True)
    return CollapsedCell(cells[0].template, tuple(_names(column) for column in columns))


def _names(names: Sequence[str]) -> str:
    first, last = names[0], names[-1]
    if all(name == first for name in names):
        return first
    letter, start = first[:1], first[1:]
    counting = start.isdigit() and all(
        name == f"{letter}{serial}" for serial, name in enumerate(names, int(start))
    )
    return f"{first} to {last}" if counting else "…"
