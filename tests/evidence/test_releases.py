"""The table of releases, and both sides of a change."""

from pathlib import Path

import pytest
from docutils import nodes

from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.evidence.releases_table import Gap, ShownRelease, Side, releases_table, side_by_side
from tests.evidence.evidence_pages import build, rows
from tests.evidence.synthetic_traces import keep_alive, new_clients

ROWS = [
    ShownRelease("2.0", "3.7.16", False, ("6",)),
    Gap("2.0.1", "2.1.2", 1_015),
    ShownRelease("2.1.3", "", None, ()),
    ShownRelease("2.1.4", "3.7.16", True, ("1",)),
    Gap("2.1.5", "2.1.5", 1),
    ShownRelease("2.2", "3.9.18", None, ()),
]


def sides(before, after):
    """Return both sides of a change between two scenarios."""
    shown = [
        Side(f"Django {name}", evidence(scenario, [trace], ("requests",)))
        for name, (scenario, trace) in (("1", before), ("2", after))
    ]
    return side_by_side(shown)


def test_each_release_is_a_row_and_so_are_those_between_that_were_not_run():
    assert rows([releases_table(["db.opened"], ROWS, [3])]) == [
        ["Django", "Python", "", "db.opened"],
        ["2.0", "3.7.16", "false", "6"],
        ["2.0.1 to 2.1.2", "—", "1,015 not run", "—"],
        ["2.1.3", "—", "could not be run", "—"],
        ["2.1.4", "3.7.16", "true", "1"],
        ["2.1.5", "—", "not run", "—"],
        ["2.2", "3.9.18", "neither", "—"],
    ]


def test_the_row_in_which_it_changes_is_marked():
    body = next(iter(releases_table(["db.opened"], ROWS, [3]).findall(nodes.tbody)))
    assert [row["classes"] for row in body.children] == [
        [],
        ["djconn-unrun"],
        [],
        ["djconn-new"],
        ["djconn-unrun"],
        [],
    ]


def test_what_all_requests_have_in_common_is_said_once_and_not_in_the_tables():
    said, both = sides(new_clients(), new_clients())
    assert said.astext() == "Every request: GET /polls/, by a new client, answered 200."
    for table in both.findall(nodes.table):
        assert [entry.astext() for entry in next(iter(table.findall(nodes.row)))] == [
            "#",
            "HTTP connection",
            "Thread",
            "Database connection",
        ]
        group = next(iter(table.findall(nodes.tgroup)))
        assert group["cols"] == len(list(group.findall(nodes.colspec))) == 4


def test_what_differs_on_one_side_stays_on_both():
    said, both = sides(keep_alive(), new_clients())
    assert "by" not in said.astext()
    for table in both.findall(nodes.table):
        assert "Client" in [entry.astext() for entry in next(iter(table.findall(nodes.row)))]


def test_requests_with_labels_are_told_from_others():
    said, both = sides(keep_alive(), keep_alive())
    assert said.astext() == "Every request: by browser, answered 200."
    assert both.astext().count("Request") == 2


@pytest.mark.parametrize("builder", ["html", "latex", "text", "man", "texinfo"])
def test_every_format_has_both_sides(tmp_path: Path, builder: str):
    shown = [releases_table(["db.opened"], ROWS, [3]), *sides(keep_alive(), new_clients())]
    page = build(tmp_path, builder, shown)
    assert "Django 1" in page
    assert "Django 2" in page
    assert "could not be" in page
