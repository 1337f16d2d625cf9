"""A claim about releases: a table of those that were run, and both sides of the change."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from docutils import nodes

from sphinx_djconn.evidence.event_text import NEW_CLIENT
from sphinx_djconn.evidence.nodes import Cell, literal, table, verdict_badge
from sphinx_djconn.evidence.text import number, printable

_SIGNS: Final = {True: "holds", False: "refuted", None: "unproven"}
_TRUTHS: Final = {True: "true", False: "false", None: "neither"}
_NOT_RUN: Final = "could not be run"
_NOTHING: Final = "—"


class ShownRelease(NamedTuple):
    """One release: its name and its Python, whether the claim is true of it, and the facts that decided that.

    ``python`` is empty if the release could not be run.
    """

    name: str
    python: str
    truth: bool | None
    figures: tuple[str, ...]


class Gap(NamedTuple):
    """The ``releases`` from ``first`` to ``last``, which did not have to be run."""

    first: str
    last: str
    releases: int


class Side(NamedTuple):
    """A release on one side of the change, and its evidence."""

    title: str
    children: Sequence[nodes.Node]


def releases_table(
    facts: Sequence[str], rows: Sequence[ShownRelease | Gap], changes: Sequence[int]
) -> nodes.container:
    """Return the table of ``rows``, from the oldest to the newest.

    ``changes`` are the rows in which the truth of the claim differs from that of the row before.
    """
    columns = [("Django", 26), ("Python", 14), ("", 18), *((printable(fact), 14) for fact in facts)]
    made = table(columns, (list(_cells(row, len(facts))) for row in rows), "djconn-releases")
    *_, body = made.findall(nodes.tbody)
    for position, (row, shown) in enumerate(zip(rows, body.children, strict=True)):
        assert isinstance(shown, nodes.row)
        shown["classes"] += ["djconn-unrun"] * isinstance(row, Gap) + ["djconn-new"] * (position in changes)
    return made


def _cells(row: ShownRelease | Gap, facts: int) -> Iterator[Cell]:
    if isinstance(row, Gap):
        yield row.first if row.releases == 1 else f"{row.first} to {row.last}"
        yield _NOTHING
        yield "not run" if row.releases == 1 else f"{number(row.releases)} not run"
        yield from [_NOTHING] * facts
        return
    yield printable(row.name)
    yield printable(row.python) or _NOTHING
    yield verdict_badge(_SIGNS[row.truth], _TRUTHS[row.truth] if row.python else _NOT_RUN)
    yield from row.figures or [_NOTHING] * facts


def side_by_side(sides: Sequence[Side]) -> list[nodes.Node]:
    """Return ``sides`` beside each other, if the page is wide enough and the format supports it.

    A column that is the same in all rows of all tables of requests is replaced with a line above them.
    """
    box = nodes.container(classes=["djconn-sides"])
    for side in sides:
        heading = nodes.paragraph(
            "", "", nodes.strong("", printable(side.title)), classes=["djconn-side-title"]
        )
        box += nodes.container("", heading, *side.children, classes=["djconn-side"])
    tables = [found for found in box.findall(nodes.table) if "djconn-requests" in found["classes"]]
    common = _remove_common_columns(tables, _COMMON)
    return [_common_line(common), box] if common else [box]


def _common_line(common: Mapping[str, str]) -> nodes.paragraph:
    """Return a line with what is ``common`` to all requests, by the titles of columns."""
    client = common.get("Client", "")
    words = [
        literal(common["Request"]) if "Request" in common else None,
        nodes.Text(f"by {'a ' if client == NEW_CLIENT else ''}{client}") if client else None,
        nodes.Text(f"answered {common['Status']}") if "Status" in common else None,
    ]
    line = nodes.paragraph("", "Every request: ", classes=["djconn-note"])
    for position, word in enumerate(filter(None, words)):
        line += [nodes.Text(", "), word] if position else [word]
    line += nodes.Text(".")
    return line


_COMMON: Final = ("Client", "Request", "Status")
"""The columns of a table of requests that are the same on both sides if the sequence is."""


def _remove_common_columns(tables: Sequence[nodes.table], titles: Sequence[str]) -> dict[str, str]:
    """Remove the columns that are the same in all rows of all ``tables``, and return their texts."""
    common: dict[str, str] = {}
    for title in titles:
        columns = [(table, _column(table, title)) for table in tables]
        texts = {entry.astext() for table, column in columns for entry in _entries(table, column)[1:]}
        if len(texts) == 1:
            common[title] = texts.pop()
            for table, column in columns:
                for entry in [list(table.findall(nodes.colspec))[column], *_entries(table, column)]:
                    entry.parent.remove(entry)
                group = next(iter(table.findall(nodes.tgroup)))
                group["cols"] -= 1
    return common


def _column(made: nodes.table, title: str) -> int:
    first = next(iter(made.findall(nodes.row)))
    return [entry.astext() for entry in first.children].index(title)


def _entries(made: nodes.table, column: int) -> list[nodes.Node]:
    return [row.children[column] for row in made.findall(nodes.row)]
