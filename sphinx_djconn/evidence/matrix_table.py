"""The table of a matrix: the values of its axes down the side and across the top, facts in the cells."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from docutils import nodes

from sphinx_djconn.evidence.nodes import NOT_CHECKED, note
from sphinx_djconn.evidence.text import printable
from sphinx_djconn.scenario.matrix import SEQUENCE, Axis

DEFAULT_FACTS: Final = ("http.connections", "threads", "db.opened")
"""The facts that are shown by default."""

NO_FIGURE: Final = "—"
"""Shown if a cell does not have a fact."""

_DEPENDS: Final = "From one number to another: the figure depends on when Python's garbage collector runs."
_MOST_COLUMNS: Final = 12
_LONGEST_REASON: Final = 100
_NARROWEST, _WIDEST = 5, 22


class ShownCell(NamedTuple):
    """A cell: the values of its axes, and a figure for each fact, or why it has none.

    ``anchor`` is the id of the cell, for links; ``details`` is the id of its evidence, if that is shown.
    ``not_checked`` says that conf.py accepts the failure: this machine lacks what the cell needs.
    ``depends`` says whether one of the figures depends on when the garbage collector ran.
    """

    values: tuple[str, ...]
    figures: tuple[str, ...]
    failure: str = ""
    anchor: str = ""
    details: str = ""
    not_checked: bool = False
    depends: bool = False


class _Entry(NamedTuple):
    """An entry of the table, and how many more columns and rows it spans."""

    children: Sequence[nodes.Node]
    more_columns: int = 0
    more_rows: int = 0
    classes: Sequence[str] = ()


def matrix_table(
    axes: Sequence[Axis], facts: Sequence[str], cells: Iterable[ShownCell], *, merged: bool = True
) -> list[nodes.Node]:
    """Return the table of ``cells``: one for each combination of values, in the order of ``axes``.

    ``merged`` is for formats in which an entry of the head can span several columns.
    """
    by_values = {cell.values: cell for cell in cells}
    shown: list[nodes.Node] = [_Layout(axes, facts, by_values, merged=merged).table()]
    if any(NO_FIGURE in cell.figures for cell in by_values.values()):
        shown.append(note(f"{NO_FIGURE}: this sequence has no such fact."))
    if any(cell.depends for cell in by_values.values()):
        shown.append(note(_DEPENDS))
    return shown


class _Layout:
    """Places the axes: the last one that is not too wide across the top, the others down the side."""

    def __init__(
        self,
        axes: Sequence[Axis],
        facts: Sequence[str],
        cells: Mapping[tuple[str, ...], ShownCell],
        *,
        merged: bool,
    ) -> None:
        self._axes = axes
        self._facts = facts
        self._cells = cells
        self._merged = merged
        fits = (
            position
            for position in reversed(range(len(axes)))
            if len(axes[position].values) * len(facts) <= _MOST_COLUMNS
        )
        self._top = next(fits, None) if len(axes) > 1 else None
        self._side = [axis for position, axis in enumerate(axes) if position != self._top]
        self._across = ("",) if self._top is None else axes[self._top].texts

    def table(self) -> nodes.container:
        """Return the table in a box that scrolls sideways."""
        head, body = list(self._head()), list(self._body())
        group = nodes.tgroup("", cols=len(self._side) + len(self._across) * len(self._facts))
        group += [nodes.colspec("", colwidth=width) for width in _widths([*head, *body])]
        group += nodes.thead("", *(_row(row) for row in head))
        group += nodes.tbody("", *(_row(row, new=new) for row, new in zip(body, self._new(), strict=True)))
        sides = ["djconn-two-sides"] if len(self._side) > 1 else []
        made = nodes.table("", group, classes=["djconn-table", "colwidths-given", "djconn-matrix", *sides])
        return nodes.container("", made, classes=["djconn-scroll"])

    # The head.

    def _head(self) -> Iterator[list[_Entry]]:
        facts = [_Entry([nodes.literal(fact, fact)]) for fact in self._facts]
        if self._top is None:
            yield [*self._corner(0), *facts]
        elif not self._merged:
            yield [*self._corner(0), *self._flat(self._axes[self._top])]
        else:
            axis, count = self._axes[self._top], len(facts)
            one = [nodes.literal(self._facts[0], self._facts[0]), nodes.Text(" by ")] if count == 1 else []
            title = [*one, nodes.Text(axis.name)]
            yield [
                *self._corner(1 + (count > 1)),
                _Entry(title, len(self._across) * count - 1, classes=["djconn-group"]),
            ]
            yield [_Entry([nodes.Text(text)], count - 1, classes=["djconn-group"]) for text in axis.texts]
            if count > 1:
                facts[0] = facts[0]._replace(classes=["djconn-group"])
                yield [entry for _ in self._across for entry in _copies(facts)]

    def _corner(self, more_rows: int) -> list[_Entry]:
        return [_Entry([nodes.Text(axis.name)], 0, more_rows, ["djconn-side"]) for axis in self._side]

    def _flat(self, axis: Axis) -> Iterator[_Entry]:
        prefix = "" if axis.name == SEQUENCE else f"{axis.name} "
        for text in axis.texts:
            for fact in self._facts:
                yield _Entry([nodes.Text(f"{prefix}{text}: "), nodes.literal(fact, fact)])

    # The body.

    def _body(self) -> Iterator[list[_Entry]]:
        before: tuple[str, ...] = ()
        for values in product(*(axis.texts for axis in self._side)):
            row = []
            for position, text in enumerate(values):
                again = ["djconn-again"] if values[: position + 1] == before[: position + 1] else []
                row.append(_Entry([nodes.Text(text)], classes=["djconn-side", *again]))
            for text in self._across:
                row += self._figures(self._cells[self._joined(values, text)])
            before = values
            yield row

    def _new(self) -> Iterator[bool]:
        """Yield for each row whether the first axis has another value than in the row above."""
        rows = math.prod(len(axis.values) for axis in self._side[1:])
        for number in range(rows * len(self._side[0].values)):
            yield rows > 1 and number > 0 and number % rows == 0

    def _joined(self, values: Sequence[str], across: str) -> tuple[str, ...]:
        if self._top is None:
            return tuple(values)
        return (*values[: self._top], across, *values[self._top :])

    def _figures(self, cell: ShownCell) -> list[_Entry]:
        anchor = [nodes.target("", "", ids=[cell.anchor])] if cell.anchor else []
        if cell.failure:
            reason = printable(cell.failure)
            if len(reason) > _LONGEST_REASON:
                reason = f"{reason[: _LONGEST_REASON - 1]}…"
            failed = nodes.inline("", "failed", classes=["djconn-failed"])
            if cell.not_checked:
                failed = nodes.inline("", NOT_CHECKED, classes=["djconn-not-checked"])
            children = [*anchor, failed, nodes.Text(f": {reason}")]
            more = len(self._facts) - 1
            if self._merged:
                return [_Entry(children, more, classes=["djconn-why", "djconn-group"])]
            return [_Entry(children), *([_Entry([])] * more)]
        entries = []
        for number, figure in enumerate(map(printable, cell.figures)):
            text: nodes.Node = nodes.Text(figure)
            if cell.details:
                text = nodes.reference("", figure, internal=True, refid=cell.details)
            if number == 0:
                entries.append(_Entry([*anchor, text], classes=["djconn-group"]))
            else:
                entries.append(_Entry([text]))
        return entries


def _copies(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    for entry in entries:
        yield entry._replace(children=[child.deepcopy() for child in entry.children])


def _widths(rows: Iterable[Sequence[_Entry]]) -> list[int]:
    """Return the width of each column in characters, from its entries that span no other column."""
    widths: dict[int, int] = {}
    spanned: dict[int, int] = {}
    for row in rows:
        column = 0
        for entry in row:
            while spanned.get(column, 0):
                spanned[column] -= 1
                column += 1
            if not entry.more_columns:
                needed = max((len(word) for word in _text(entry).split(" ")), default=0)
                wanted = min(len(_text(entry)), _WIDEST)
                widths[column] = max(widths.get(column, _NARROWEST), needed, wanted)
            for _ in range(entry.more_columns + 1):
                if entry.more_rows:
                    spanned[column] = entry.more_rows
                column += 1
    return [width for _, width in sorted(widths.items())]


def _text(entry: _Entry) -> str:
    """Return the text of ``entry`` as the text builder writes it."""
    texts = ((child.astext(), isinstance(child, nodes.literal)) for child in entry.children)
    return "".join(f'"{text}"' if literal else text for text, literal in texts)


def _row(entries: Iterable[_Entry], *, new: bool = False) -> nodes.row:
    row = nodes.row("", classes=["djconn-new"] if new else [])
    for children, more_columns, more_rows, classes in entries:
        entry = nodes.entry("", nodes.paragraph("", "", *children), classes=list(classes))
        if more_columns:
            entry["morecols"] = more_columns
        if more_rows:
            entry["morerows"] = more_rows
        row += entry
    return row
