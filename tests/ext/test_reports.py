"""``-b djconn``: the files that it writes, the lines that it logs, and its exit code."""

import json
from importlib.metadata import version
from xml.etree import ElementTree

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Reports
    =======

    .. djconn:scenario:: kept
       :conn-max-age: 60
       :runs: 2

       browser: GET / as first
       browser: GET / as second

    .. djconn:scenario:: fails

       browser: GET / -> 500

    .. djconn:claim:: holds
       :in: kept
       :expect: first.thread == second.thread

       One *thread* | for <both> & all.

    .. djconn:claim:: sometimes
       :in: kept
       :sometimes: threads == 1

       One thread at times.

    .. djconn:claim:: declared-refuted
       :in: kept
       :expect: threads == 2
       :verdict: refuted

       Two threads, they used to say.
"""

WRONG = """
    .. djconn:claim:: refuted
       :in: kept
       :expect: threads == 2

       Two threads.

    .. djconn:claim:: nothing-to-see
       :in: nowhere
       :expect: threads == 2

       A sentence without a scenario.
"""


@pytest.fixture(scope="module")
def wrong(shared_docs: Docs) -> Built:
    shared_docs.configure(djconn_project=shared_docs.project())
    shared_docs.page("index", PAGE + WRONG)
    return shared_docs.build("djconn")


@pytest.fixture
def right(docs: Docs) -> Built:
    docs.configure(djconn_project=docs.project())
    docs.page("index", PAGE.replace(" -> 500", ""))
    return docs.build("djconn")


def test_the_exit_code_is_0_where_all_is_as_declared(right: Built) -> None:
    assert right.code == 0
    assert right.warnings == []
    assert "3 claims, 3 as declared" in right.status


def test_the_exit_code_is_1_where_a_verdict_is_not_the_declared_one(wrong: Built) -> None:
    assert wrong.code == 1
    assert "5 claims, 3 as declared" in wrong.status


def test_one_line_a_claim_is_said_and_written(wrong: Built, shared_docs: Docs) -> None:
    line = shared_docs.line(":: refuted")
    told = f"(index: line {line}) refuted, declared holds  refuted: Two threads. [threads is 1"
    assert told in wrong.status
    assert told in wrong.read("output.txt")
    assert wrong.read("output.txt").count("(index: line ") == 5
    assert "scenario fails did not run: `GET /` was expected to answer 500" in wrong.read("output.txt")


def test_claims_json_has_what_decided_each(wrong: Built, shared_docs: Docs) -> None:
    claims = {claim["id"]: claim for claim in json.loads(wrong.read("claims.json"))}
    assert list(claims) == ["holds", "sometimes", "declared-refuted", "refuted", "nothing-to-see"]
    assert claims["refuted"] == {
        "id": "refuted",
        "document": "index",
        "line": shared_docs.line(":: refuted"),
        "sentence": "Two threads.",
        "in": "kept",
        "expect": "threads == 2",
        "declared": "holds",
        "verdict": "refuted",
        "reason": "threads is 1 (in run 1 of 2)",
        "django": [version("django")],
    }
    assert claims["nothing-to-see"]["django"] == []
    assert claims["sometimes"]["sometimes"] == "threads == 1"
    assert "expect" not in claims["sometimes"]
    assert claims["declared-refuted"]["verdict"] == claims["declared-refuted"]["declared"] == "refuted"
    assert claims["nothing-to-see"]["verdict"] == "unproven"


def test_facts_json_has_the_facts_of_each_run(wrong: Built) -> None:
    facts = json.loads(wrong.read("facts.json"))
    assert list(facts) == ["fails", "kept"]
    assert facts["fails"]["runs"] == []
    kept = facts["kept"]
    assert kept["axes"]["server"] == "runserver"
    assert kept["axes"]["conn-max-age"] == 60
    assert [run["threads"] for run in kept["runs"]] == [1, 1]
    assert kept["runs"][0]["first.status"] == 200
    assert kept["runs"][0]["statuses"] == [200, 200]


def test_junit_xml_counts_failures_and_errors(wrong: Built) -> None:
    suite = ElementTree.fromstring(wrong.read("junit.xml"))
    assert (suite.tag, suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        *("testsuite", "6"),
        *("1", "2"),
    )
    cases = {case.get("name"): case for case in suite}
    failure = cases["refuted"].find("failure")
    assert failure is not None
    assert failure.get("message") == "refuted, declared holds: threads is 1 (in run 1 of 2)"
    assert failure.text == "Two threads."
    assert cases["nothing-to-see"].find("error") is not None
    assert cases["scenario fails"].find("error") is not None
    assert len(cases["holds"]) == 0


def test_summary_md_is_a_table_whatever_the_sentences_hold(wrong: Built) -> None:
    summary = wrong.read("summary.md")
    assert "5 claims, 3 as declared: 2 holds, 2 refuted, 1 unproven" in summary
    assert f"Checked with Django {version('django')}." in summary
    assert r"| holds | One thread \| for &lt;both\> \& all. | kept | first.thread is T1" in summary
    assert "| **refuted** (declared holds) | Two threads. | kept |" in summary
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    assert len(rows) == 7
    assert "## What could not be checked" in summary


def test_no_page_is_written(wrong: Built) -> None:
    written = {path.name for path in wrong.folder.iterdir()}
    assert written == {"output.txt", "claims.json", "facts.json", "junit.xml", "summary.md"}


def test_the_reports_are_the_same_in_a_build_that_runs_nothing(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", PAGE.replace(" -> 500", "") + WRONG)
    first = docs.build("djconn")
    reports = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    again = docs.build("djconn")
    assert again.ran == []
    assert again.code == 1
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == reports


def test_warnings_become_errors_with_w(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", PAGE.replace(" -> 500", ""))
    assert docs.build("html", "-W").code == 0
    docs.page("index", PAGE.replace(" -> 500", "") + WRONG)
    assert docs.build("html", "-W").code == 1


def test_a_kind_of_warning_can_be_suppressed(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(), suppress_warnings=["djconn.claim"])
    docs.page("index", PAGE.replace(" -> 500", "") + WRONG)
    assert docs.build("html", "-W").code == 0


def test_characters_that_no_xml_can_hold_leave_junit_xml_readable(docs: Docs) -> None:
    views = """
    def die(request):
        os.write(1, "\\ufffe\\x0c\\x1b[1m <&> \\n".encode())
        os._exit(1)

    def odd(request):
        return JsonResponse({"odd": "\\ufffe\\x00\\ud800 <&>"})
    """
    docs.configure(djconn_project=docs.project(views=views))
    docs.page(
        "index",
        """
        .. djconn:scenario:: dies

           browser: GET /die

        .. djconn:scenario:: odd

           browser: GET /odd as odd

        .. djconn:claim:: odd-claim
           :in: odd
           :expect: odd.json.odd == ""

           A sentence.
        """,
    )
    built = docs.build("djconn")
    suite = ElementTree.fromstring(built.read("junit.xml"))
    assert len(suite) == 2
    json.loads(built.read("claims.json"))
    json.loads(built.read("facts.json"))
    assert docs.build("xml").code == 0
    ElementTree.parse(docs.folder / "xml" / "index.xml")


def test_pages_without_anything_of_ours_are_checked_too(docs: Docs) -> None:
    docs.page("index", "Index\n=====\n\nText.\n")
    built = docs.build("djconn")
    assert built.code == 0
    assert json.loads(built.read("claims.json")) == []
    assert "no page makes a claim, so nothing was checked" in built.status
