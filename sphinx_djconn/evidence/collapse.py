"""Rows of a long table: merged where they say the same, left out where they are alike."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

_ALIKE_MOST, _ALIKE_HEAD, _ALIKE_TAIL = 12, 5, 3
_ROWS_MOST, _ROWS_HEAD, _ROWS_TAIL = 60, 40, 12
_MERGE_LEAST = 3
_VALUES_MOST = 5


class CollapsedCell(NamedTuple):
    """A cell that names entities: the shape ``{} opened`` and ``("C1",)``."""

    shape: str
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What stands in the cell."""
        return self.shape.format(*self.names)


class Row(NamedTuple):
    """The requests from ``first`` to ``last``. ``fixed`` are client, request and status.

    Where the row stands for rows that are left out, ``left_out`` compares them with those that are not.
    """

    first: int
    last: int
    label: str | None
    fixed: tuple[str, str, str]
    cells: tuple[CollapsedCell, ...]
    left_out: str | None = None

    @property
    def requests(self) -> int:
        """How many requests the row stands for."""
        return self.last - self.first + 1

    def alike(self) -> tuple[Any, ...]:
        """What is equal in rows that differ in their numbers and in the names of entities only."""
        return self._own, self.fixed, tuple(cell.shape for cell in self.cells)

    def same(self) -> tuple[Any, ...]:
        """What is equal in rows that differ in their number only."""
        return self._own, self.fixed, self.cells

    @property
    def _own(self) -> int | None:
        """What a row with a label has alone: it stays a row of its own."""
        return None if self.label is None else self.first


def compact(rows: list[Row]) -> list[Row]:
    """Merge rows that say the same, and leave out the middle of those that are alike."""
    merged = _merge(rows)
    kept: list[Row] = []
    for _, group in groupby(merged, Row.alike):
        kept += _without_middle(list(group), _ALIKE_MOST, _ALIKE_HEAD, _ALIKE_TAIL, "like these")
    return _without_middle(kept, _ROWS_MOST, _ROWS_HEAD, _ROWS_TAIL, "of several kinds")


def _merge(rows: Iterable[Row]) -> list[Row]:
    merged: list[Row] = []
    for _, same in groupby(rows, Row.same):
        group = list(same)
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
    found = list(dict.fromkeys(texts))
    return ", ".join(found) if len(found) <= _VALUES_MOST else "…"


def _range(cells: Sequence[CollapsedCell]) -> CollapsedCell:
    """Return one cell for alike ones: ``H6 to H9997 new`` where names count up, else ``… new``."""
    if len({cell.shape for cell in cells}) > 1:
        return CollapsedCell("…")
    columns = zip(*(cell.names for cell in cells), strict=True)
    return CollapsedCell(cells[0].shape, tuple(_names(column) for column in columns))


def _names(names: Sequence[str]) -> str:
    first, last = names[0], names[-1]
    if all(name == first for name in names):
        return first
    letter, start = first[:1], first[1:]
    counting = start.isdigit() and all(
        name == f"{letter}{serial}" for serial, name in enumerate(names, int(start))
    )
    return f"{first} to {last}" if counting else "…"
