"""A verdict that the author has not declared is visible on the page, in every format."""

import re

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Verdicts
    ========

    .. djconn:scenario:: visits

       browser: GET /

    .. djconn:claim:: true
       :in: visits
       :expect: requests == 1

       One request.

    .. djconn:claim:: quoted
       :in: visits
       :expect: requests == 2
       :verdict: refuted

       Two requests.

    .. djconn:claim:: wrong
       :in: visits
       :expect: requests == 3

       Three requests.

    .. djconn:claim:: right-after-all
       :in: visits
       :expect: requests < 2
       :verdict: refuted

       Fewer than two.

    .. djconn:claim:: unknown
       :in: visits
       :expect: no_such_fact == 2
       :verdict: unproven

       It has an error.

    See :djconn:claim:`quoted`, and :djconn:claim:`wrong`.

    .. djconn:claims::
    """

AS_DECLARED = {"holds": 1, "refuted, as declared": 1}
UNDECLARED = {
    "refuted, but declared holds": 1,
    "holds, but declared refuted": 1,
    "unproven, but the claim has an error": 1,
}


@pytest.fixture(scope="module")
def pages(shared_docs: Docs) -> dict[str, str]:
    shared_docs.configure(djconn_project=shared_docs.project())
    shared_docs.page("index", PAGE)

    def read(builder: str, name: str) -> str:
        built: Built = shared_docs.build(builder)
        return built.read(name)

    return {
        "html": read("html", "index.html"),
        "text": read("text", "index.txt"),
        "man": read("man", "test.1").replace("\\-", "-"),
        "latex": read("latex", "test.tex"),
    }


@pytest.mark.parametrize("builder", ["html", "text", "man", "latex"])
def test_each_verdict_says_whether_it_is_the_declared_one(pages: dict[str, str], builder: str) -> None:
    words = " ".join(re.sub(r"<[^>]*>|[*|+]|\\f[BRIP]|\n\.\w+", " ", pages[builder]).split())
    for told in (*AS_DECLARED, *UNDECLARED):
        assert words.replace(" ,", ",").count(told) >= 2, told  # at the claim, and in the list of all


def test_badges_of_undeclared_verdicts_and_their_claims_have_a_class(pages: dict[str, str]) -> None:
    badges = re.findall(r'<span class="([\w -]*djconn-verdict[\w -]*)">([^<]*)</span>', pages["html"])
    assert {text for classes, text in badges if "djconn-undeclared" in classes} == {*UNDECLARED}
    assert {text for classes, text in badges if "djconn-undeclared" not in classes} == {*AS_DECLARED}
    assert len(re.findall(r'<div class="[^"]*djconn-claim[^"]*djconn-undeclared', pages["html"])) == 3


def test_undeclared_verdicts_in_the_list_are_strong_where_there_are_no_colours(pages: dict[str, str]) -> None:
    listed = pages["text"].rpartition("| Claim")[2]
    assert "**refuted, but" in listed
    assert "**refuted, as" not in listed


def test_a_link_to_a_claim_shows_that_its_verdict_is_not_declared(pages: dict[str, str]) -> None:
    sentence = next(line for line in pages["html"].splitlines() if line.startswith("<p>See "))
    assert re.findall(r'djconn-verdict[^>]*">([^<]*)<', sentence) == [
        "refuted, as declared",
        "refuted, but declared holds",
    ]
