"""A claim in a row of releases: a table of those that were run, and both sides of the change."""

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
    """One release: its name and its Python, whether the claim is true of it, and the facts that decided it.

    One that could not be run has no Python.
    """

    name: str
    python: str
    truth: bool | None
    figures: tuple[str, ...]


class Gap(NamedTuple):
    """So many releases from ``first`` to ``last`` that were not run, because nothing asked for them."""

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

    ``changes`` are the rows that the claim is not the same in as in the one that was run before.
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
    """Return ``sides`` beside each other, where the page has room for them and the format can.

    What is the same in all rows of all tables of requests is said once, above them.
    """
    found = nodes.container(classes=["djconn-sides"])
    for side in sides:
        heading = nodes.paragraph(
            "", "", nodes.strong("", printable(side.title)), classes=["djconn-side-title"]
        )
        found += nodes.container("", heading, *side.children, classes=["djconn-side"])
    tables = [each for each in found.findall(nodes.table) if "djconn-requests" in each["classes"]]
    common = _without_columns(tables, _COMMON)
    return [_said(common), found] if common else [found]


def _said(common: Mapping[str, str]) -> nodes.paragraph:
    """Return in a line what is ``common`` to all requests, by the titles of columns."""
    client = common.get("Client", "")
    words = [
        literal(common["Request"]) if "Request" in common else None,
        nodes.Text(f"by {'a ' if client == NEW_CLIENT else ''}{client}") if client else None,
        nodes.Text(f"answered {common['Status']}") if "Status" in common else None,
    ]
    said = nodes.paragraph("", "Every request: ", classes=["djconn-note"])
    for position, word in enumerate(filter(None, words)):
        said += [nodes.Text(", "), word] if position else [word]
    said += nodes.Text(".")
    return said


_COMMON: Final = ("Client", "Request", "Status")
"""The columns of a table of requests that tell what was done, and not what became of it."""


def _without_columns(tables: Sequence[nodes.table], titles: Sequence[str]) -> dict[str, str]:
    """Take those columns out of ``tables`` in which all rows of all say the same, and return what they say."""
    said: dict[str, str] = {}
    for title in titles:
        columns = [(each, _column(each, title)) for each in tables]
        texts = {entry.astext() for each, column in columns for entry in _entries(each, column)[1:]}
        if len(texts) == 1:
            said[title] = texts.pop()
            for each, column in columns:
                for entry in [list(each.findall(nodes.colspec))[column], *_entries(each, column)]:
                    entry.parent.remove(entry)
                group = next(iter(each.findall(nodes.tgroup)))
                group["cols"] -= 1
    return said


def _column(made: nodes.table, title: str) -> int:
    first = next(iter(made.findall(nodes.row)))
    return [entry.astext() for entry in first.children].index(title)


def _entries(made: nodes.table, column: int) -> list[nodes.Node]:
    return [row.children[column] for row in made.findall(nodes.row)]
