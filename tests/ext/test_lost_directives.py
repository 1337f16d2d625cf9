"""What authors can lose without noticing: a claim that is a comment, a step that is a name, all claims."""

import json
import os

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Lost
    ====

    .. djconn:scenario:: visits

       browser: GET /

    .. djconn:claim:: one
       :in: visits
       :expect: requests == 1

       There is one request.
    """

LOST = """
    Lost
    ====

    .. djconn:claim: one-colon
       :in: visits
       :expect: requests == 1

       It has one colon.

    .. djconn: claim:: a-space

    .. djconn :claim:: another-space

    .. Djconn:Claim: a-capital

    .. djconn claim:: no-colon

    .. djconn-claim: a-dash

    .. djcon:claim: a-slip

    .. claim: no-domain
       :in: visits
       :expect: requests == 1

    ..
       djconn:claim: below-the-dots

    - An item:

      .. djconn:claim: in-an-item

    ..djconn:claim:: no-space

    There are :djconn:fact:`visits requests` of them, and :djconn:fact:visits-requests no backticks.

    .. code-block:: rst

       .. djconn:claim: as-an-example

    .. django: a comment of the author's

    .. A comment that says djconn:claim: further on.

    See ``.. djconn:claim: c`` and djconn:claim, and .. djconn in a sentence.
    """

LOST_IN_MYST = """\
# Lost

% djconn:claim c

<!-- djconn:claim c -->

```djconn:claim in-no-braces
:in: visits
```

```{djconn:claim with-a-space}
:in: visits
```

There are {djconn:fact}no-backticks of them.

A comment of the author's:

% django
"""


def check(docs: Docs, **configured: object) -> Built:
    docs.configure(djconn_project=docs.project(), **configured)
    return docs.build("djconn", "-W", "--keep-going")


def lost(built: Built, name: str) -> list[str]:
    return [each.text for each in built.warnings if each.file == name and "is not checked" in each.text]


def test_a_directive_or_role_that_is_something_else_for_docutils_is_told(docs: Docs) -> None:
    docs.page("index", PAGE)
    docs.page("lost", LOST)
    built = check(docs)
    assert built.code == 1
    source = docs.source.joinpath("lost.rst").read_text("utf-8")
    for begin, become in {
        "djconn:claim: one-colon": "a comment",
        "djconn: claim:: a-space": "a comment",
        "djconn :claim:: another-space": "a comment",
        "Djconn:Claim: a-capital": "a comment",
        "djconn claim:: no-colon": "a comment",
        "djconn-claim: a-dash": "a comment",
        "djcon:claim: a-slip": "a comment",
        "claim: no-domain": "a comment",
        "djconn:claim: below-the-dots": "a comment",
        "djconn:claim: in-an-item": "a comment",
        "..djconn:claim:: no-space": "plain text",
        ":djconn:fact:visits-requests": "plain text",
    }.items():
        line = next(n for n, text in enumerate(source.splitlines(), 1) if begin in text)
        (warned,) = [each for each in built.warnings if (each.file, each.line) == ("lost.rst", line)]
        assert warned.kind == "djconn.config"
        assert begin in warned.text
        assert f"this is {become} and is not checked; write a " in warned.text
    assert len(lost(built, "lost.rst")) == 12
    assert "this is a comment and is not checked" in built.read("output.txt")


def test_what_is_lost_is_told_in_every_build(docs: Docs) -> None:
    docs.page("index", PAGE + "\n    .. djconn:claim: two\n")
    line = docs.line("djconn:claim: two")
    for _ in range(2):
        assert check(docs).warning("index.rst", line).kind == "djconn.config"


def test_what_is_lost_in_an_included_file_is_told_there(docs: Docs) -> None:
    docs.page("more.txt", "A sentence.\n\n.. djconn:claim: two\n")
    docs.page("index", PAGE + "\n    .. include:: more.txt\n")
    assert "`djconn:claim: two`" in check(docs).warning("more.txt", 3).text


def test_what_is_lost_in_myst_is_told(docs: Docs) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("myst_parser")
    docs.page("index", PAGE)
    docs.page("lost.md", LOST_IN_MYST)
    built = check(docs, extensions=["sphinx_djconn", "myst_parser"])
    ours = [each for each in built.warnings if each.kind == "djconn.config"]
    told = {(each.line, each.text.partition("`")[2].partition("`")[0]) for each in ours}
    lines = LOST_IN_MYST.splitlines()
    assert told == {
        (lines.index("% djconn:claim c") + 1, "djconn:claim c"),
        (lines.index("<!-- djconn:claim c -->") + 1, "djconn:claim c -->"),
        (lines.index("```djconn:claim in-no-braces") + 1, "djconn:claim"),
        (lines.index("```{djconn:claim with-a-space}") + 1, "djconn:claim"),
        (
            lines.index("There are {djconn:fact}no-backticks of them.") + 1,
            "There are {djconn:fact}no-backticks of them.",
        ),
    }


@pytest.mark.parametrize("name", ["djconn:clam", "djconn:scenarios"])
def test_an_unknown_directive_is_told_by_sphinx(docs: Docs, name: str) -> None:
    docs.page("index", PAGE + f"\n    .. {name}:: two\n")
    built = check(docs)
    assert "Unknown directive type" in built.warning("index.rst", docs.line(name)).text
    assert built.code == 1


def test_a_forgotten_x_is_told_on_the_page(docs: Docs) -> None:
    docs.page("index", PAGE.replace("browser: GET /", "2 new client: GET /"))
    warned = check(docs).warning("index.rst", docs.line("2 new client"))
    assert "write a repetition as in '2 x new client: GET /'" in warned.text


def test_a_check_that_finds_no_claim_says_so(docs: Docs) -> None:
    docs.page("index", "Nothing\n=======\n")
    built = check(docs)
    assert built.code == 0
    for told in (built.status, built.read("output.txt")):
        assert "no page makes a claim, so nothing was checked; set djconn_minimum_claims in conf.py" in told
    assert "No page makes a claim" in built.read("summary.md")
    assert json.loads(built.read("claims.json")) == []


@pytest.mark.parametrize(("page", "made"), [("Nothing\n=======\n", "no claims"), (PAGE, "1 claim")])
def test_fewer_claims_than_conf_py_says_fail(docs: Docs, page: str, made: str) -> None:
    docs.page("index", page)
    for _ in range(2):
        built = check(docs, djconn_minimum_claims=2)
        assert built.code == 1
        warned = built.warning("conf.py", docs.line("djconn_minimum_claims", "conf.py"), kind="djconn.config")
        assert f"djconn_minimum_claims is 2, and the pages make {made}; find those" in warned.text
        assert "djconn_minimum_claims is 2" in built.read("output.txt")


def test_as_many_claims_as_conf_py_says_pass(docs: Docs) -> None:
    docs.page("index", PAGE)
    assert check(docs, djconn_minimum_claims=1).code == 0


def test_a_minimum_below_zero_is_refused(docs: Docs) -> None:
    docs.page("index", PAGE)
    built = check(docs, djconn_minimum_claims=-1)
    assert "djconn_minimum_claims must be 0" in built.warning("conf.py", docs.line("minimum", "conf.py")).text
