"""Links, the index, ``objects.inv``, and pages that several processes read and write."""

import zlib
from pathlib import Path

import pytest

from tests.support.building import Built, Docs

ONE = """
    One
    ===

    .. djconn:scenario:: first
       :name: by-name
       :class: mine
       :caption: The *first* one

       browser: GET / as only

    .. djconn:claim:: answers
       :in: first
       :expect: only.status == 200

       It answers.

    .. djconn:claim:: refuses
       :in: first
       :expect: only.status == 403
       :verdict: refuted

       It refuses.
"""

TWO = """
    Two
    ===

    See :djconn:claim:`answers`, :djconn:claim:`that it refuses <refuses>`, :djconn:scenario:`first`,
    :any:`answers`, :ref:`by name <by-name>` and :djconn:claim:`nowhere`.

    It took :djconn:fact:`first requests` request.

    .. djconn:claims::
       :all:
"""

HIDDEN = """
    Hidden
    ======

    .. djconn:scenario:: unseen
       :hidden:

       browser: GET /

    Hidden: :djconn:fact:`unseen responses` response.

    .. djconn:claims::
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    shared_docs.configure(djconn_project=shared_docs.project())
    for name, text in (("one", ONE), ("two", TWO), ("hidden", HIDDEN)):
        shared_docs.page(name, text)
    return shared_docs.build()


def test_a_link_to_a_claim_shows_its_verdict(built: Built) -> None:
    page = built.read("two.html")
    holds = '<span class="djconn-holds djconn-verdict">holds</span>'
    link = '<a class="reference internal" href="one.html#djconn-claim-answers" title="answers">'
    assert f'{link}<span class="xref djconn djconn-claim">answers</span> {holds}</a>' in page.replace(
        "djconn-verdict djconn-holds", "djconn-holds djconn-verdict"
    )
    assert "that it refuses</span> <span" in page


def test_a_link_to_a_scenario_leads_to_its_evidence(built: Built) -> None:
    assert 'href="one.html#djconn-scenario-first"' in built.read("two.html")
    assert 'id="djconn-scenario-first"' in built.read("one.html")
    assert 'href="one.html#by-name"' in built.read("two.html")


def test_only_the_link_to_nowhere_is_told(built: Built, shared_docs: Docs) -> None:
    (warning,) = built.warnings
    assert (warning.file, warning.line, warning.kind) == ("two.rst", 4, "ref.claim")
    assert "no djconn:claim is named `nowhere`" in warning.text


def test_scenarios_and_claims_are_in_the_index(built: Built) -> None:
    index = built.read("genindex.html")
    for entry in ("first (djconn scenario)", "answers (djconn claim)", "unseen (djconn scenario)"):
        assert entry in index


def test_scenarios_and_claims_are_in_objects_inv(built: Built) -> None:
    inventory = built.folder.joinpath("objects.inv").read_bytes()
    entries = zlib.decompress(inventory.split(b"\n", 4)[4]).decode().splitlines()
    assert "answers djconn:claim 1 one.html#djconn-claim-$ -" in entries
    assert "first djconn:scenario 1 one.html#djconn-scenario-$ -" in entries


def test_the_caption_and_the_class_are_the_author_s(built: Built) -> None:
    page = built.read("one.html")
    assert "The <em>first</em> one" in page
    assert 'class="djconn-scenario mine docutils container"' in page


def test_a_hidden_scenario_shows_nothing_and_gives_its_figures(built: Built) -> None:
    page = built.read("hidden.html")
    assert 'Hidden: <span class="djconn-fact">1</span> response.' in page
    assert "djconn-table" not in page


def test_the_list_of_claims_is_of_the_page_or_of_all(built: Built) -> None:
    assert "No claims." in built.read("hidden.html")
    listing = built.read("two.html").partition("djconn-claims")[2]
    assert "It answers." in listing
    assert "It refuses." in listing


@pytest.mark.parametrize(
    "builder", ["dirhtml", "singlehtml", "text", "man", "latex", "texinfo", "epub", "xml", "pseudoxml"]
)
def test_links_in_the_list_of_claims_go_with_every_builder(
    built: Built, shared_docs: Docs, builder: str
) -> None:
    other = shared_docs.build(builder)
    assert other.ran == []
    assert [each.kind for each in other.warnings if each.kind.startswith("djconn")] == []
    assert "Traceback" not in other.errors
    assert other.code == 0


def many(docs: Docs, count: int) -> None:
    docs.configure(djconn_project=docs.project())
    for number in range(count):
        text = (
            ONE.replace("first", f"s{number}").replace("answers", f"a{number}").replace("by-name", f"n{number}")
        )
        text = text.replace("refuses", f"r{number}").replace("GET /", f"GET /?{number // 2}")
        docs.page(f"p{number:02}", text + f"\n    Also :djconn:claim:`a{(number + 1) % count}`.\n")
    docs.page(
        "zz",
        TWO.replace("answers", "a0").replace("refuses", "r0").replace("first", "s0").replace("by-name", "n0"),
    )


def pages(docs: Docs) -> dict[str, bytes]:
    folder: Path = docs.folder / "html"
    return {path.name: path.read_bytes() for path in folder.glob("*.html")}


@pytest.mark.exhaustive
def test_a_build_by_several_processes_gives_the_same_pages(docs: Docs) -> None:
    many(docs, 12)
    serial = docs.build_apart()
    assert [each.kind for each in serial.warnings] == ["ref.claim"]
    written = pages(docs)
    inventory = docs.folder.joinpath("html", "objects.inv").read_bytes()
    parallel = docs.build_apart("html", "-j", "3", "-E", "-a", "-D", "djconn_mode=run")
    assert parallel.code == 0
    assert sorted(each.text for each in parallel.warnings) == sorted(each.text for each in serial.warnings)
    assert len(parallel.ran) == len(serial.ran) == 6
    assert pages(docs) == written
    assert docs.folder.joinpath("html", "objects.inv").read_bytes() == inventory


@pytest.mark.exhaustive
def test_what_several_processes_have_read_is_complete_in_the_next_build(docs: Docs) -> None:
    many(docs, 12)
    docs.build_apart("html", "-j", "3")
    again = docs.build_apart("html", "-j", "3")
    assert again.ran == []
    checked = docs.build_apart("djconn", "-j", "3")
    assert "24 claims, 24 as declared" in checked.status
    assert checked.code == 0


def test_on_a_man_page_the_verdict_stands_in_a_paragraph_of_its_own(docs: Docs) -> None:
    docs.page(
        "index",
        """
        Title
        =====

        .. djconn:scenario:: visit
           :hidden:

           browser: GET /polls/

        .. djconn:claim:: one
           :in: visit
           :expect: threads == 1

           One thread.
        """,
    )
    assert "\n.sp\n\\fBholds in visit\\fP\n.sp\n" in docs.build("man").read("test.1")
