"""The table of a matrix: which axes stand where, in every format."""

from itertools import product
from xml.etree import ElementTree as ET

import pytest
from docutils import nodes

from sphinx_djconn.evidence.matrix_table import NO_FIGURE, ShownCell, matrix_table
from sphinx_djconn.evidence.run_settings import CellSettings, run_settings
from sphinx_djconn.scenario.matrix import Axis
from tests.evidence.evidence_pages import build, rows

SERVER = Axis("server", ("runserver", "waitress"))
AGE = Axis("conn-max-age", (None, 0, 60))
SEQUENCE = Axis("sequence", ("new connections", "keep-alive"))
BUILDERS = ["html", "dirhtml", "singlehtml", "epub", "latex", "text", "man", "texinfo", "xml", "pseudoxml"]


def cells(axes, facts, failed=()):
    for number, values in enumerate(product(*(axis.texts for axis in axes)), 1):
        if values in failed:
            yield ShownCell(values, (), f"no answer to {values[0]}", f"cell-{number}")
        else:
            yield ShownCell(values, tuple(f"{fact}{number}" for fact in facts), "", f"cell-{number}")


def made(axes, facts, *, merged=True, failed=()):
    return matrix_table(axes, facts, cells(axes, facts, failed), merged=merged)


def columns(found):
    return len(list(found[0].findall(nodes.colspec)))


def test_of_one_axis_the_facts_stand_at_the_top():
    assert rows(made([AGE], ["a", "b"])) == [
        ["conn-max-age", "a", "b"],
        ["none", "a1", "b1"],
        ["0", "a2", "b2"],
        ["60", "a3", "b3"],
    ]


def test_the_last_axis_goes_to_the_top_and_names_the_one_fact():
    assert rows(made([SERVER, AGE], ["a"])) == [
        ["server", "a by conn-max-age"],
        ["none", "0", "60"],
        ["runserver", "a1", "a2", "a3"],
        ["waitress", "a4", "a5", "a6"],
    ]


def test_several_facts_stand_below_each_value_at_the_top():
    found = rows(made([SERVER, SEQUENCE], ["a", "b"]))
    assert found == [
        ["server", "sequence"],
        ["new connections", "keep-alive"],
        ["a", "b", "a", "b"],
        ["runserver", "a1", "b1", "a2", "b2"],
        ["waitress", "a3", "b3", "a4", "b4"],
    ]


def test_where_the_last_axis_is_too_wide_another_goes_to_the_top():
    wide = Axis("sequence", tuple(f"s{number}" for number in range(20)))
    found = rows(made([SERVER, wide], ["a"]))
    assert found[:2] == [["sequence", "a by server"], ["runserver", "waitress"]]
    assert found[2:4] == [["s0", "a1", "a21"], ["s1", "a2", "a22"]]


def test_where_every_axis_is_too_wide_all_stand_at_the_side():
    facts = [f"f{number}" for number in range(7)]
    found = rows(made([SERVER, SEQUENCE], facts))
    assert found[0] == ["server", "sequence", *facts]
    assert len(found) == 1 + 4


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("facts", [["a"], ["a", "b"], ["a", "b", "c", "d"]])
@pytest.mark.parametrize("axes", [[AGE], [SERVER, AGE], [SERVER, AGE, SEQUENCE]])
def test_every_row_fills_every_column(axes, facts, merged):
    found = made(axes, facts, merged=merged, failed={tuple(axis.texts[0] for axis in axes)})
    taken = []
    for row in found[0].findall(nodes.row):
        taken = [rows_left - 1 for rows_left in taken if rows_left > 1]
        width = len(taken)
        for entry in row:
            columns_taken = entry.get("morecols", 0) + 1
            width += columns_taken
            taken += [entry.get("morerows", 0) + 1] * columns_taken
        assert width == columns(found)


def test_where_nothing_can_be_merged_there_is_one_head_and_nothing_is_merged():
    found = made([SERVER, SEQUENCE], ["a", "b"], merged=False, failed={("waitress", "keep-alive")})
    assert rows(found)[:1] == [
        ["server", "new connections: a", "new connections: b", "keep-alive: a", "keep-alive: b"]
    ]
    assert rows(found)[-1] == ["waitress", "a3", "b3", "failed: no answer to waitress", ""]
    assert not [entry for entry in found[0].findall(nodes.entry) if "morecols" in entry or "morerows" in entry]


def test_a_cell_that_failed_says_why_and_the_others_are_there():
    found = rows(made([SERVER, SEQUENCE], ["a", "b"], failed={("runserver", "keep-alive")}))
    assert found[3] == ["runserver", "a1", "b1", "failed: no answer to runserver"]
    assert found[4] == ["waitress", "a3", "b3", "a4", "b4"]


def test_a_cell_without_such_a_fact_is_explained():
    shown = [ShownCell(("none",), (NO_FIGURE,)), ShownCell(("0",), ("1",)), ShownCell(("60",), ("1",))]
    assert [node.astext() for node in matrix_table([AGE], ["a"], shown)][1:] == [
        "—: this sequence has no such fact."
    ]


def test_every_cell_has_a_place_to_link_to():
    found = made([SERVER, SEQUENCE], ["a", "b"], failed={("runserver", "keep-alive")})
    ids = [target["ids"] for target in found[0].findall(nodes.target)]
    assert sorted(ids) == [[f"cell-{number}"] for number in range(1, 5)]


@pytest.mark.parametrize("builder", BUILDERS)
def test_every_builder_shows_every_figure(tmp_path, builder):
    merged = builder in {"html", "dirhtml", "singlehtml", "epub", "latex", "text"}
    found = made([SERVER, AGE, SEQUENCE], ["threads"], merged=merged, failed={("runserver", "0", "keep-alive")})
    build(tmp_path, builder, found)
    folder = tmp_path / builder
    page = next(path for path in sorted(folder.iterdir()) if path.stem == "index" and path.is_file())
    text = page.read_text(encoding="utf-8")
    for number in {*range(1, 13)} - {4}:
        assert f"threads{number}" in text
    assert "no answer to" in text
    assert "waitress" in text


def test_html_says_which_columns_belong_together(tmp_path):
    page = build(tmp_path, "html", made([SERVER, SEQUENCE], ["a", "b"]))
    assert '<th class="djconn-group head" colspan="4"><p>sequence</p></th>' in page.replace(
        "head djconn-group", "djconn-group head"
    )


def test_two_hundred_cells_are_a_table_of_few_columns_and_a_small_page(tmp_path):
    axes = [
        Axis("server", tuple(f"server-{number}" for number in range(10))),
        Axis("conn-max-age", (None, 0, 1, 60, 3600)),
        Axis("sequence", ("one", "two", "three", "four")),
    ]
    found = made(axes, ["threads", "db.opened"])
    assert columns(found) == 2 + 4 * 2
    assert len(rows(found)) == 3 + 50
    page = build(tmp_path, "html", found)
    ET.fromstring("<table" + page.split("<table", 1)[1].split("</table>")[0] + "</table>")
    assert len(page) < 100_000


def test_how_it_was_run_tells_once_what_all_cells_share():
    shown = [
        CellSettings(values, f"{values[1]}!", {"Django": "5.2", "Server": values[0], "Hash": "".join(values)})
        for values in product(SERVER.texts, SEQUENCE.texts)
    ]
    fold = run_settings([SERVER, SEQUENCE], shown, 3)
    assert fold.children[0].astext() == "How it was run: 4 cells, 3 times each"
    assert [each.astext() for each in fold.findall(nodes.literal_block)] == ["new connections!", "keep-alive!"]
    found = rows([fold])
    assert found[1:4] == [
        ["Django", "all", "5.2"],
        ["Server", "server runserver", "runserver"],
        ["Server", "server waitress", "waitress"],
    ]
    assert ["Hash", "1 of 4", "waitresskeep-alive"] in found
