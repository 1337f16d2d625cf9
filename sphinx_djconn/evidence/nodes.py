"""The building blocks of evidence: details, badges, tables, blocks of lines."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from docutils import nodes

from sphinx_djconn.evidence.details_node import djconn_details
from sphinx_djconn.evidence.text import printable

NOT_CHECKED: Final = "not checked here"
"""Shown if this machine lacks what is needed, and conf.py accepts that."""


def details_node(title: str, *children: nodes.Node) -> djconn_details:
    """Return ``children`` folded below ``title``."""
    heading = nodes.paragraph("", "", nodes.strong("", title), classes=["djconn-fold-title"])
    # Words from server logs would fill the search index.
    return djconn_details("", heading, *children, classes=["djconn-fold", "no-search"])


def verdict_badge(verdict: str, text: str | None = None) -> nodes.inline:
    """Return ``text``, by default the word ``verdict``, in the style of ``verdict``."""
    shown = verdict if text is None else text
    return nodes.inline("", shown, classes=["djconn-verdict", f"djconn-{verdict}"])


def lines_block(lines: Iterable[str], language: str = "text") -> nodes.literal_block:
    """Return ``lines`` as a literal block."""
    text = "\n".join(lines)
    return nodes.literal_block(text, text, language=language, classes=["djconn-lines"])


def note(text: str) -> nodes.paragraph:
    """Return a remark about the evidence; text in double backticks is literal."""
    return nodes.paragraph("", "", *inline(text), classes=["djconn-note"])


def inline(text: str) -> list[nodes.Node]:
    """Return nodes for ``text``, in which double backticks enclose literals."""
    pieces = re.split(r"``(.+?)``", text)
    return [
        nodes.literal(piece, piece) if index % 2 else nodes.Text(piece)
        for index, piece in enumerate(pieces)
        if piece
    ]


def literal(text: str) -> nodes.literal:
    """Return ``text`` of a server or project as a literal in one line."""
    shown = printable(text)
    return nodes.literal(shown, shown)


Cell: TypeAlias = str | nodes.Node | Sequence[nodes.Node]
"""The content of a cell: text, or inline nodes."""


def table(columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[Cell]], *classes: str) -> nodes.container:
    """Return a table in a box that scrolls sideways if the page is narrower.

    ``columns`` are titles and relative widths. Printed formats need the widths, HTML ignores them.
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
