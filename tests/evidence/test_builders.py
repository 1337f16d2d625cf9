import json
from xml.etree import ElementTree as ET

import pytest
from docutils import nodes

from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.nodes import verdict_badge
from sphinx_djconn.evidence.parts import evidence
from tests.evidence.evidence_pages import build
from tests.evidence.synthetic_traces import Simulation, keep_alive, new_clients, scenario
from tests.support.choosing import a_few

HOSTILE = '</pre><script>alert("x")</script> \x1b[31mred\x1b[0m \x00 \udcff │'
BUILDERS = ["html", "dirhtml", "singlehtml", "latex", "text", "man", "texinfo", "xml", "pseudoxml"]


@pytest.fixture
def everything():
    one, trace = keep_alive()
    return [*evidence(one, [trace, trace]), *failure("it failed\nbadly", ["the end"])]


@pytest.fixture
def hostile():
    run = Simulation()
    run.step("browser: GET /<b>/")
    run.request("browser", "/<b>/", label="<i>")
    run.log.append(HOSTILE)
    one = scenario(f"browser: GET /<b>/ {HOSTILE}", "browser")
    trace = run.trace(settings={"Command": HOSTILE})
    return [*evidence(one, [trace]), *failure(HOSTILE, [HOSTILE])]


@pytest.mark.parametrize("builder", BUILDERS)
def test_every_builder_shows_what_is_folded(tmp_path, builder, everything):
    page = build(tmp_path, builder, everything)
    for text in ("Summary", "DB wrapper created", "Server log and probe", "badly"):
        assert text.replace(" ", "") in page.replace("\\ ", "").replace(" ", "")


def test_epub_pages_are_xml(tmp_path, hostile):
    build(tmp_path, "epub", hostile)
    ET.fromstring(tmp_path.joinpath("epub", "index.xhtml").read_bytes())


def test_html_folds_with_details(tmp_path, everything):
    page = build(tmp_path, "html", everything)
    assert '<details class="djconn-fold no-search">' in page
    assert "<summary>Settings</summary>" in page
    assert page.count("<details") == page.count("</details>")


def test_the_search_finds_nothing_of_what_is_folded(tmp_path):
    one, trace = keep_alive()
    found = []
    for parts in (["requests"], ["requests", "settings"], ["requests", "summary"], ["requests", "log"]):
        folder = tmp_path / parts[-1]
        folder.mkdir()
        build(folder, "html", evidence(one, [trace], parts))
        index = folder.joinpath("html", "searchindex.js").read_text().removeprefix("Search.setIndex(")
        found.append(json.loads(index.removesuffix(")"))["terms"])
    first, *others = found
    assert first
    assert others == [first] * 3


@pytest.mark.parametrize("builder", ["html", "singlehtml"])
def test_nothing_that_a_server_writes_is_markup(tmp_path, builder, hostile):
    page = build(tmp_path, builder, hostile)
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert "\x1b" not in page
    assert "\x00" not in page


def test_xml_is_well_formed_whatever_a_server_writes(tmp_path, hostile):
    document = ET.fromstring(build(tmp_path, "xml", hostile))
    assert document.find(".//djconn_details") is not None


@pytest.mark.parametrize("requests", a_few([2_000, 20_000], 2_000))
def test_a_page_of_thousands_of_requests_is_small(tmp_path, requests):
    one, trace = new_clients(requests)
    page = build(tmp_path, "html", evidence(one, [trace], ["requests", "log", "summary"]))
    assert len(page.encode()) < 500_000


def test_two_pages_of_the_same_behaviour_are_equal(tmp_path):
    pages = []
    for serial, ident in ((lambda count: count, 1), (lambda count: 900 - count, 2)):
        one, trace = new_clients(serial=serial, ident=ident)
        folder = tmp_path / str(ident)
        folder.mkdir()
        pages.append(build(folder, "html", evidence(one, [trace])))
    assert pages[0] == pages[1]


def test_a_badge_is_a_word_where_there_are_no_colours(tmp_path):
    page = build(tmp_path, "text", [nodes.paragraph("", "", verdict_badge("holds"))])
    assert page.splitlines()[-1] == "holds"


def test_tables_have_a_head_that_screen_readers_find(tmp_path, everything):
    page = build(tmp_path, "html", everything)
    assert page.count('<th class="head">') == 7 + 3 + 2
