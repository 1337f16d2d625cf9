"""The few shapes that evidence is made of: a fold, a badge, a table, a block of lines."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from docutils import nodes

from sphinx_djconn.evidence.details_node import djconn_fold
from sphinx_djconn.evidence.text import printable

NOT_CHECKED: Final = "not checked here"
"""Shown for what only lacks something that this machine doesn't have, if conf.py accepts that."""


def fold(title: str, *children: nodes.Node) -> djconn_fold:
    """Return a fold of ``children`` below ``title``."""
    heading = nodes.paragraph("", "", nodes.strong("", title), classes=["djconn-fold-title"])
    # What a server prints is not what people search the pages for: it would fill the index with its words.
    return djconn_fold("", heading, *children, classes=["djconn-fold", "no-search"])


def verdict_badge(verdict: str, text: str | None = None) -> nodes.inline:
    """Return the word ``verdict`` (``holds``, ``refuted``, ``unproven``), or ``text`` in its stead."""
    shown = verdict if text is None else text
    return nodes.inline("", shown, classes=["djconn-verdict", f"djconn-{verdict}"])


def lines_block(lines: Iterable[str], language: str = "text") -> nodes.literal_block:
    """Return ``lines`` as they are, in type of one width."""
    text = "\n".join(lines)
    return nodes.literal_block(text, text, language=language, classes=["djconn-lines"])


def note(text: str) -> nodes.paragraph:
    """Return a remark about the evidence beside it; what stands in double backticks is literal."""
    return nodes.paragraph("", "", *inline(text), classes=["djconn-note"])


def inline(text: str) -> list[nodes.Node]:
    """Return ``text`` of our own, in which double backticks enclose what is literal."""
    pieces = re.split(r"``(.+?)``", text)
    return [
        nodes.literal(piece, piece) if index % 2 else nodes.Text(piece)
        for index, piece in enumerate(pieces)
        if piece
    ]


def literal(text: str) -> nodes.literal:
    """Return foreign ``text`` as a literal in one line."""
    shown = printable(text)
    return nodes.literal(shown, shown)


Cell: TypeAlias = str | nodes.Node | Sequence[nodes.Node]
"""What stands in a cell: text, or inline nodes."""


def table(columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[Cell]], *classes: str) -> nodes.container:
    """Return a table in a box that scrolls sideways where the page is narrower.

    ``columns`` are titles and relative widths: printed formats need those, HTML finds its own.
    """
    group = nodes.tgroup("", cols=len(columns))
    group += [nodes.colspec("", colwidth=width) for _, width in columns]
    group += nodes.thead("", _row([title for title, _ in columns]))
    group += nodes.tbody("", *map(_row, rows))
    made = nodes.table("", group, classes=["djconn-table", "colwidths-given", *classes])
    return nodes.container("", made, classes=["djconn-scroll"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", _paragraph(cell)) for cell in cells))


def _paragraph(cell: Cell) -> nodes.paragraph:
    if isinstance(cell, str):
        return nodes.paragraph(cell, cell)
    children = [cell] if isinstance(cell, nodes.Node) else cell
    return nodes.paragraph("", "", *children)
