"""What those use who test pages of their own."""

import textwrap
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.testing import CheckError, check, run

PAGE = """
    Visits
    ======

    .. djconn:scenario:: visits
       :conn-max-age: none

       2 x browser: GET /polls/

    .. djconn:claim:: one-thread
       :in: visits
       :expect: threads == 1

       One thread.

    .. djconn:claim:: two-threads
       :in: visits
       :expect: threads == 2
       :verdict: {verdict}

       Two threads.
"""


def docs(folder: Path, verdict: str) -> Path:
    folder.joinpath("conf.py").write_text('extensions = ["sphinx_djconn"]\n')
    folder.joinpath("index.rst").write_text(textwrap.dedent(PAGE.format(verdict=verdict)))
    return folder


def test_a_sequence_is_run_and_its_facts_are_returned():
    (facts,) = run("3 x browser: GET /polls/", conn_max_age=None)
    assert facts.figures["db.opened"] == 1


def test_nothing_is_left_running():
    before = set(psutil.Process().children(recursive=True))
    run("browser: GET /polls/")
    assert set(psutil.Process().children(recursive=True)) == before


@pytest.mark.parametrize("declared", ["refuted", "holds"])
def test_claims_are_returned_whatever_is_declared_of_them(tmp_path, declared):
    claims = {claim["id"]: claim for claim in check(docs(tmp_path, declared))}
    assert claims["one-thread"]["verdict"] == "holds"
    assert claims["two-threads"]["verdict"] == "refuted"
    assert claims["two-threads"]["declared"] == declared


def test_what_is_wrong_with_the_pages_is_an_error(tmp_path):
    page = docs(tmp_path, "refuted") / "index.rst"
    page.write_text(page.read_text().replace("2 x browser: GET /polls/", "browser: GET polls"))
    with pytest.raises(CheckError, match="does not begin with"):
        check(tmp_path)


def test_a_warning_of_several_lines_about_a_claim_is_no_error(tmp_path):
    page = docs(tmp_path, "refuted") / "index.rst"
    page.write_text(page.read_text().replace("threads == 1", "threads == '1'"))
    claims = {claim["id"]: claim for claim in check(tmp_path)}
    assert claims["one-thread"]["verdict"] == "unproven"
    assert (
        claims["one-thread"]["reason"]
        == "`threads == '1'` compares a count with a text; write 1 without quotes"
    )


MATRIX = """
    Ages
    ====

    .. djconn:matrix:: ages
       :conn-max-age: none, 0
       :facts: db.opened

       2 x browser: GET /polls/

    .. djconn:claim:: reused
       :in: ages
       :where: conn_max_age is None
       :expect: db.opened == 1

       The connection is reused.
"""


def test_claims_about_cells_of_a_matrix_are_returned_with_what_chooses_them(tmp_path):
    page = docs(tmp_path, "holds") / "index.rst"
    page.write_text(textwrap.dedent(MATRIX))
    (claim,) = check(tmp_path)
    assert (claim["verdict"], claim["in"], claim["where"]) == ("holds", "ages", "conn_max_age is None")
    assert claim["reason"] == "db.opened is 1 (in conn-max-age=none)"
