"""Claims about releases, in builds."""

import re
import shutil

import pytest

from tests.ext.since.releases import VIEWS, Row, ran


def test_a_declared_release_takes_four_runs_and_a_second_build_none(row: Row):
    row.claim("declared", 30, "first.json.number >= 12", ":since: r12")
    built = row.build()
    assert built.warnings == []
    assert ran(built, "declared") == [0, 11, 12, 29]
    told = row.told(built)["declared"]
    assert told["verdict"] == "holds"
    assert told["found"] == "since r12"
    assert told["said"] == {"r0": False, "r11": False, "r12": True, "r29": True}
    assert told["reason"] == (
        "false with r11 (first.json.number is 11), true with r12 (first.json.number is 12); "
        "4 of 30 releases were run; of the others, the order is taken for granted"
    )
    again = row.build()
    assert again.ran == []
    assert row.told(again) == row.told(built)


@pytest.mark.exhaustive
def test_a_wrong_declaration_is_searched_on_and_told(row: Row):
    row.claim("declared", 30, "first.json.number >= 13", ":since: r12")
    built = row.build()
    found = built.warning("index.rst", row.docs.line(".. djconn:since:: declared"), kind="djconn.claim")
    assert "declared since r12, found since r13: false with r12 (first.json.number is 12), true" in found.text
    assert "Correct `:since:`, or the sentence and the expression, or declare `:verdict: refuted`" in found.text
    assert {12, 13} < set(ran(built, "declared"))
    assert built.code == 1


@pytest.mark.exhaustive
def test_what_is_not_declared_is_found_in_few_runs(row: Row):
    row.claim("found", 30, "first.json.number < 22", ":until:")
    built = row.build()
    assert built.warnings == []
    assert len(ran(built, "found")) <= 6
    assert "true with r21 (" in row.told(built)["found"]["reason"]


@pytest.mark.exhaustive
def test_independent_claims_share_rounds_and_what_they_have_in_common_is_run_once(row: Row):
    row.claim("one", 30, "first.json.number >= 5")
    row.claim("other", 30, "first.json.number >= 25")
    row.claim("same", 30, "first.json.number >= 25")
    built = row.build()
    assert built.warnings == []
    searched = [each for each in built.ran if "[" in each]
    environments = [each.partition("[")[2] for each in searched]
    assert len(environments) == len(set(environments)), "no environment is run twice"
    rounds = len(re.findall(r"\[100%\]", built.status.partition("running scenarios")[2]))
    assert rounds <= 8, "one is searched beside the other and not after it"


@pytest.mark.exhaustive
def test_recordings_replay_along_the_same_path(row: Row):
    row.configure(djconn_recordings="recordings")
    row.claim("declared", 30, "first.json.number >= 13", ":since: r12")
    row.claim("found", 30, "first.json.number >= 4")
    built = row.build()
    row.interpreters = {name: {"python": "/nowhere/python"} for name in row.interpreters}
    row.configure(djconn_recordings="recordings", djconn_mode="replay")
    shutil.rmtree(row.docs.doctrees / "djconn", ignore_errors=True)
    replayed = row.build("-E")
    assert replayed.ran == []
    assert {each.kind for each in replayed.warnings} == {"djconn.claim"}
    assert row.told(replayed) == row.told(built)


@pytest.mark.exhaustive
def test_recordings_that_no_search_needs_any_more_are_removed(row: Row):
    row.claim("declared", 30, "first.json.number >= 12", ":since: r12")
    row.build()
    assert len(row.docs.recordings) == 5
    row.claim("declared", 30, "first.json.number >= 20", ":since: r20")
    built = row.build()
    assert ran(built, "declared") == [19, 20]
    assert len(row.docs.recordings) == 5


@pytest.mark.exhaustive
def test_a_changed_expression_is_judged_by_the_recordings_that_are_there(row: Row):
    row.claim("short", 5, "first.json.number >= 2")
    row.build()
    row.claim("short", 5, "first.json.number >= 3")
    built = row.build()
    assert built.ran == []
    assert "true with r3 (" in row.told(built)["short"]["reason"]


@pytest.mark.exhaustive
def test_all_runs_anew_in_mode_run_and_each_once(row: Row):
    row.claim("declared", 30, "first.json.number >= 12", ":since: r12")
    row.claim("found", 30, "first.json.number >= 12")
    first = row.build()
    again = row.build("-D", "djconn_mode=run")
    assert again.ran == first.ran


@pytest.mark.exhaustive
def test_an_environment_that_is_not_there_is_passed_over_and_said(row: Row):
    row.interpreters["r0"] = row.interpreters["r29"] = {"python": "/nowhere/python"}
    row.configure()
    row.claim("declared", 30, "first.json.number >= 12", ":since: r12")
    built = row.build()
    assert {each.kind for each in built.warnings} == {"djconn.absent"}
    assert ran(built, "declared") == [1, 11, 12, 28]
    told = row.told(built)["declared"]
    assert told["verdict"] == "holds"
    assert "4 of 30 releases were run; 2 could not be run; of the others" in told["reason"]


@pytest.mark.exhaustive
def test_a_declaration_is_unproven_where_its_neighbour_is_not_there(row: Row):
    row.interpreters["r11"] = {"python": "/nowhere/python"}
    row.configure(suppress_warnings=["djconn.absent"])
    row.claim("declared", 30, "first.json.number >= 12", ":since: r12")
    built = row.build()
    assert built.warnings == []
    told = row.told(built)["declared"]
    assert told["verdict"] == "unproven"
    assert told["reason"].startswith("declared since r12, and r11 could not be run: false with r10 (")


@pytest.mark.exhaustive
def test_a_release_with_which_the_project_fails_is_passed_over_with_its_own_warning(row: Row):
    row.settings(FAILING)
    row.claim("declared", 5, "first.json.number >= 2", ":since: r2")
    built = row.build()
    failed, unproven = built.warnings
    assert (failed.kind, unproven.kind) == ("djconn.run", "djconn.claim")
    assert "djconn:since `declared[environment=r1]`" in failed.text
    assert "declared since r2, and r1 could not be run: false with r0 (" in unproven.text


FAILING = """
    try:
        from number import NUMBER
    except ImportError:
        NUMBER = -1
    if NUMBER == 1:
        raise RuntimeError("this project does not work with r1")
"""


@pytest.mark.exhaustive
def test_a_release_that_says_neither_is_as_one_that_cannot_be_run(row: Row):
    row.views(VIEWS.replace("number.NUMBER}", "number.NUMBER} if number.NUMBER != 1 else {}"))
    row.claim("declared", 5, "first.json.number >= 2", ":since: r2")
    built = row.build()
    assert [each.kind for each in built.warnings] == ["djconn.claim"]
    reason = row.told(built)["declared"]["reason"]
    assert "declared since r2, and r1 could not be judged: " in reason
    assert reason.endswith("; 4 of 5 releases were run; 1 could not be judged")


def test_an_environment_that_no_one_knows_is_told(row: Row):
    row.claim("declared", 3, "first.json.number >= 1", ":since: r1")
    page = row.docs.source / "index.rst"
    page.write_text(page.read_text("utf-8").replace("r0, r1", "rr0, r1"), "utf-8")
    built = row.build()
    kinds = {each.kind: each.text for each in built.warnings}
    assert "unknown environment `rr0`; did you mean `r0`?" in kinds["djconn.config"]


@pytest.mark.exhaustive
def test_a_page_shows_the_releases_that_were_run_and_both_sides_of_the_change(row: Row):
    row.claim("declared", 30, "first.json.number >= 12", ":since: r12")
    page = row.docs.build("text").read("index.txt")
    assert "**holds since r12, in asked, Django r0, r1," in page
    rows = re.findall(r"^\| (\S.*?) +\| \S+ +\| (\S.*?) +\|", page, re.MULTILINE)
    told = [truth for _, truth in rows if truth in ("true", "false") or "not run" in truth]
    assert told == ["false", "10 not run", "false", "true", "16 not run", "true"]
    assert page.count("(Python ") == 2
    html = row.docs.build("html").read("index.html")
    assert html.count('class="djconn-side docutils') == 2
    for builder in ("latex", "man", "texinfo"):
        assert row.docs.build(builder).warnings == []


@pytest.mark.exhaustive
def test_show_chooses_the_parts_of_both_sides(row: Row):
    row.claim("declared", 3, "first.json.number >= 1", ":since: r1", ":show: none")
    assert "(Python " not in row.docs.build("text").read("index.txt")
    row.claim("declared", 3, "first.json.number >= 1", ":since: r1", ":show: responses")
    page = row.docs.build("text").read("index.txt")
    assert re.findall(r"\*\*(r\d): Django \S+ \(Python \S+\)\*\*", page) == ["r0", "r1"]
    assert re.findall(r"\*first\* +\| 200 +\| \"(\d)\"", page) == ["0", "1"]


def test_a_link_to_it_shows_its_verdict_and_the_list_has_it(row: Row):
    row.claim("declared", 3, "first.json.number >= 1", ":since: r1")
    row.docs.page("links", "Links\n=====\n\n:djconn:claim:`see <declared>`\n\n.. djconn:claims::\n   :all:\n")
    row.docs.page("index", row.docs.source.joinpath("index.rst").read_text("utf-8"))
    html = row.docs.build("html").read("links.html")
    assert html.count("djconn-verdict djconn-holds") == 2
    assert "The sentence of declared." in html


@pytest.mark.exhaustive
def test_a_page_that_shows_a_change_is_written_anew_when_a_run_changes(row: Row):
    row.claim("short", 4, "first.json.number >= 2")
    row.docs.build("text")
    row.views(VIEWS.replace("number.NUMBER", "number.NUMBER + 1"))
    built = row.docs.build("text")
    assert len(ran(built, "short")) == 4
    assert "**holds since r1, in asked," in built.read("index.txt")
