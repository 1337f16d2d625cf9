"""What this machine cannot run: it fails by default, and is counted separately if conf.py says so."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from sphinx_djconn import store
from tests.support.building import Built, Docs

ABSENT = {"command": ["waitress-serve", "--listen=127.0.0.1:{port}", "{wsgi}"], "requires": ["no-such-server"]}
MISSING = "the server `absent` is not installed: there is no no-such-server in the environment"

PAGE = """
    Page
    ====

    .. djconn:scenario:: lonely
       :server: absent

       browser: GET / as first

    .. djconn:claim:: about-lonely
       :in: lonely
       :expect: first.status == 200

       It answers with :djconn:fact:`lonely threads` threads.

    .. djconn:claim:: refuted-of-lonely
       :in: lonely
       :expect: first.status == 404
       :verdict: refuted

       It doesn't answer.

    .. djconn:matrix:: servers
       :server: runserver, absent
       :facts: threads

       browser: GET / as first

    .. djconn:claim:: in-each
       :in: servers
       :expect: first.status == 200

       Each server answers.

    .. djconn:claim:: refuted-in-one
       :in: servers
       :expect: first.status == 404
       :verdict: refuted

       Each server says that there is no such page.

    .. djconn:claim:: in-one
       :in: servers
       :where: server == "runserver"
       :expect: first.status == 200

       This server answers.

    .. djconn:since:: searched
       :in: lonely
       :releases: without-python, current
       :since: current
       :expect: first.status == 200

       It answers since then.

    There are :djconn:fact:`lonely threads` threads, :djconn:fact:`servers threads` with each server, and
    :djconn:claim:`about-lonely` says so.

    .. djconn:claims::
"""

WRONG = """
    .. djconn:claim:: wrong
       :in: servers
       :where: server == "runserver"
       :expect: first.status == 404

       It answers 404.
"""

NOT_CHECKED = {"about-lonely", "refuted-of-lonely", "in-each", "searched"}


def configure(docs: Docs, *suppressed: str, **values: Any) -> None:
    docs.configure(
        djconn_project=docs.project(),
        djconn_servers={"absent": ABSENT},
        djconn_environments={"without-python": {"python": "/nowhere/python"}},
        suppress_warnings=list(suppressed),
        **values,
    )


@pytest.fixture(scope="module")
def accepting(shared_docs: Docs) -> Docs:
    configure(shared_docs, "djconn.absent")
    shared_docs.page("index", PAGE)
    return shared_docs


@pytest.fixture(scope="module")
def pages(accepting: Docs) -> Built:
    return accepting.build("html", "-W")


@pytest.fixture(scope="module")
def checked(accepting: Docs) -> Built:
    return accepting.build("djconn", "-W")


def test_a_build_that_refuses_warnings_goes_on(pages: Built) -> None:
    assert (pages.code, pages.warnings) == (0, [])


def test_the_check_passes_and_counts_what_is_not_checked_apart(checked: Built) -> None:
    assert (checked.code, checked.warnings) == (0, [])
    assert "6 claims, 2 as declared, 4 not checked here" in checked.status


def test_the_page_says_what_is_missing(pages: Built) -> None:
    page = pages.read("index.html").replace("`", "")
    missing = MISSING.replace("`", "")
    assert f"The scenario lonely is not checked here: {missing}" in page
    assert f"server=absent: not checked here, {missing}" in page
    assert "has no evidence" not in page
    assert ">unproven<" not in page
    # Proofs, and a row in the list of all claims, for each; and the link to one.
    assert page.count('"djconn-verdict djconn-not-checked">not checked here<') == 2 * len(NOT_CHECKED) + 1
    # Three figures: one in the sentence of a claim.
    assert page.count("[not checked here]") == 3


def test_claims_json_has_what_is_missing(checked: Built) -> None:
    claims = {claim["id"]: claim for claim in json.loads(checked.read("claims.json"))}
    assert {name for name, claim in claims.items() if "missing" in claim} == NOT_CHECKED
    for name in NOT_CHECKED:
        assert claims[name]["verdict"] == "unproven"
    assert claims["about-lonely"]["missing"] == [claims["about-lonely"]["reason"]]
    assert claims["about-lonely"]["reason"].startswith(MISSING)
    assert claims["in-each"]["reason"].startswith(
        f"no run in the cell server=absent reached its end; {MISSING}"
    )
    assert "/nowhere/python" in claims["searched"]["reason"]
    assert claims["refuted-in-one"]["verdict"] == "refuted"
    assert claims["in-one"]["verdict"] == "holds"


def test_output_txt_has_a_line_for_each(checked: Built, accepting: Docs) -> None:
    output = checked.read("output.txt")
    line = accepting.line(":: in-each")
    assert f"(index: line {line}) not checked here  in-each: Each server answers. [no run in the cell" in output
    assert f"scenario lonely is not checked here: {MISSING}" in output
    assert output.count("djconn:fact `lonely threads`, not checked here: no run of the scenario `lonely`") == 2
    assert output.count(") not checked here  ") == len(NOT_CHECKED)
    assert "declared" not in output.replace("as declared", "")


def test_junit_xml_skips_them(checked: Built) -> None:
    suite = ElementTree.fromstring(checked.read("junit.xml"))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    skipped = {case.get("name"): case.find("skipped") for case in suite}
    names = {name for name, found in skipped.items() if found is not None}
    assert names > NOT_CHECKED
    assert {"refuted-in-one", "in-one"}.isdisjoint(names)
    assert suite.get("skipped") == str(len([case for case in suite if case.find("skipped") is not None]))
    assert skipped["about-lonely"].get("message", "").startswith(f"not checked here: {MISSING}")


def test_summary_md_lists_them_apart(checked: Built) -> None:
    summary = checked.read("summary.md")
    assert "6 claims, 2 as declared, 4 not checked here: 1 holds, 1 refuted, 4 unproven" in summary
    assert "| not checked here | Each server answers. | servers |" in summary
    assert "## What is not checked here" in summary
    assert "## What could not be checked" not in summary


def test_without_that_in_conf_py_they_fail(docs: Docs) -> None:
    configure(docs)
    docs.page("index", PAGE)
    built = docs.build("djconn", "-q")
    assert built.code == 1
    assert {warning.kind for warning in built.warnings} == {"djconn.absent"}
    suite = ElementTree.fromstring(built.read("junit.xml"))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")
    assert "not checked here" not in built.read("output.txt") + built.read("summary.md")
    assert "6 claims, 2 as declared\n" in built.read("output.txt")


def test_what_is_accepted_is_no_license_for_a_claim_that_is_wrong(accepting: Docs) -> None:
    accepting.page("index", PAGE + WRONG)
    try:
        built = accepting.build("djconn", "-q")
    finally:
        accepting.page("index", PAGE)
    assert built.code == 1
    assert built.warning("index.rst", kind="djconn.claim").text.startswith("djconn:claim `wrong`: refuted, but")


def test_a_claim_that_lacks_more_than_what_is_not_installed_fails(docs: Docs) -> None:
    configure(docs, "djconn.absent")
    docs.page(
        "index",
        """
        Page
        ====

        .. djconn:matrix:: servers
           :server: absent, runserver

           browser: GET / as first

        .. djconn:claim:: neither
           :in: servers
           :expect: first.json.a == 1

           The answer has a figure.

        .. djconn:claim:: of-no-fact
           :in: servers
           :expect: first.treads == 1

           There is one thread.

        There are :djconn:fact:`servers treads` threads.
        """,
    )
    built = docs.build("djconn", "-q")
    assert built.code == 1
    for name in (":: neither", ":: of-no-fact"):
        built.warning("index.rst", docs.line(name), kind="djconn.claim")
    built.warning("index.rst", docs.line("servers treads"), kind="djconn.config")
    assert all("missing" not in claim for claim in json.loads(built.read("claims.json")))


def test_a_check_that_fails_says_why_whatever_is_suppressed(accepting: Docs) -> None:
    configure(accepting, "djconn")
    accepting.page("index", PAGE + WRONG + "\n    .. djconn:scenario:: fails\n\n       browser: GET / -> 500\n")
    try:
        quiet = accepting.build("djconn", "-q", "-W")
        line = accepting.line(":: wrong")
        fails = accepting.line(":: fails")
    finally:
        configure(accepting, "djconn.absent")
        accepting.page("index", PAGE)
    assert quiet.code == 1
    assert quiet.status == ""
    wrong, failed = quiet.warnings
    assert (wrong.file, wrong.line) == ("index.rst", line)
    assert wrong.text == (
        "djconn:claim `wrong`: refuted, but declared `holds`: first.status is 200 (in server=runserver)"
    )
    assert (failed.file, failed.line) == ("index.rst", fails)
    assert failed.text.startswith("scenario fails did not run: `GET /` was expected to answer 500")


def test_a_recording_from_another_machine_is_used(docs: Docs) -> None:
    """The server was installed on the machine that made the recordings, but is not on this one."""
    page = """
        Page
        ====

        .. djconn:scenario:: one
           :server: own

           browser: GET / as first

        .. djconn:claim:: about-one
           :in: one
           :expect: first.status == 200

           It answers.
    """
    program = docs.folder / "own-server"
    program.write_text('#!/bin/sh\nexec python -m waitress "$@"\n', encoding="utf-8")
    program.chmod(0o755)

    def built(**project: str) -> Built:
        docs.configure(
            djconn_project=docs.project(**project),
            djconn_servers={"own": {"command": ["own-server", "--listen=127.0.0.1:{port}", "{wsgi}"]}},
            djconn_recordings="recordings",
            suppress_warnings=["djconn.absent"],
        )
        return docs.build("djconn")

    docs.page("index", page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(docs.folder), prepend=":")
        assert built().ran == ["one"]
    for recording in docs.source.joinpath("recordings").iterdir():
        head, runs = recording.read_bytes().split(b"\n", 1)
        stored = json.loads(head)
        stored["parts"]["python"] = "of another machine"
        del stored["seal"]
        stored["seal"] = store._header_digest(stored)
        recording.write_bytes(json.dumps(stored).encode() + b"\n" + runs)
    again = built()
    assert again.code == 0
    assert "1 claims, 1 as declared\n" in again.read("output.txt")
    assert "using the recording of `one`" in again.status
    changed = built(settings="ANOTHER = True")
    assert changed.code == 0
    assert "1 claims, 0 as declared, 1 not checked here" in changed.read("output.txt")
