"""Expressions that are always true, or that compare different types: earlier versions accepted them."""

import json

import pytest

from tests.support.building import Built, Docs

ERRORS = {
    "count-with-text": ('threads != "1"', "compares a count with a text; write 1 without quotes"),
    "text-in-statuses": ('"500" not in statuses', "looks for a text in a list of statuses"),
    "thread-with-number": ("first.thread != 1", "compares a thread with a number"),
    "statuses-with-texts": ('statuses != ["500"]', "a list of statuses with a list of texts"),
    "no-negative-count": ("threads >= 0", "threads is a count, 0 or more; nothing could refute it"),
    "never-none": ("threads is not None", "a count is never None"),
    "always-less": ("min(threads, 99) <= 99", "is true whatever a run shows"),
    "all-statuses": ("all(statuses)", "needs a list of truths"),
    "thread-by-name": ('first.thread == "T1"', "compare the threads of two requests"),
    "status-with-text": ('threads != "2" and first.status != "200"', "compares a count with a text"),
}
"""Each claim's expression, and what its warning says."""

UNPROVEN = {
    "none-with-none": (
        "first.thread == second.thread and first.db_connection == second.db_connection",
        "`first.db_connection == second.db_connection` has no value where `first.db_connection` is none",
    ),
    "none-with-another": ("first.db_connection != third.db_connection", "`first.db_connection is None` asks"),
    "json-with-text": ('third.json.questions != "3"', "compares a number (3) with a text (3)"),
    "json-with-number": ("not third.json.questions", "`third.json.questions` is a number (3), and not true or"),
}

HOLDS = {
    "asked": "first.db_connection is None and third.db_connection is not None",
    "other-part": "first.db_connection == second.db_connection or threads == 1",
    "json": "third.json.questions == 3",
}

CLAIM = """
    .. djconn:claim:: {name}
       :in: {about}
       :{kind}: {expression}{more}

       A sentence.
"""


def claim(name: str, expression: str, more: str = "", *, about: str = "visits", kind: str = "expect") -> str:
    return CLAIM.format(
        name=name, expression=expression, about=about, kind=kind, more=f"\n       {more}" if more else ""
    )


PAGE = f"""
    Types
    =====

    .. djconn:scenario:: visits
       :server: runserver-nothreading

       browser: GET /plain/ as first
       browser: GET /plain/ as second
       browser: GET /query/ as third

    .. djconn:matrix:: ages
       :conn-max-age: none, 0
       :facts: threads, db.close_reasons

       browser: GET /plain/

    .. djconn:scenario:: again

       browser: GET /plain/

    The reasons: :djconn:fact:`again db.close_reasons`.
    {"".join(claim(name, expression) for name, (expression, _) in ERRORS.items())}
    {"".join(claim(name, expression) for name, (expression, _) in UNPROVEN.items())}
    {"".join(claim(name, expression) for name, expression in HOLDS.items())}
    {claim("some-run", "threads >= 0", kind="sometimes")}
    {claim("below-zero", "threads < 0", ":verdict: refuted")}
    {claim("expected-refuted", "threads == 2", ":verdict: refuted")}
    {claim("age-with-text", "threads == 1", ':where: conn_max_age == "0"', about="ages")}
    {claim("no-age", "threads == 1", ":where: conn_max_age == None", about="ages")}
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    shared_docs.page("index", PAGE)
    return shared_docs.build("djconn")


@pytest.fixture(scope="module")
def claims(built: Built) -> dict[str, dict[str, str]]:
    return {each["id"]: each for each in json.loads(built.read("claims.json"))}


@pytest.mark.parametrize("name", ERRORS)
def test_an_expression_whose_types_do_not_fit_is_an_error_of_the_page(
    built: Built, shared_docs: Docs, claims: dict[str, dict[str, str]], name: str
) -> None:
    expression, said = ERRORS[name]
    warning = built.warning("index.rst", shared_docs.line(f":: {name}"), kind="djconn.claim")
    assert said in warning.text
    _, shown, caret = warning.text.splitlines()
    assert shown == f"    {expression}"
    assert caret.strip() == "^"
    assert claims[name]["verdict"] == "unproven"
    assert "\n" not in claims[name]["reason"]


@pytest.mark.parametrize("name", UNPROVEN)
def test_what_only_a_run_shows_leaves_a_claim_unproven(
    built: Built, shared_docs: Docs, claims: dict[str, dict[str, str]], name: str
) -> None:
    warning = built.warning("index.rst", shared_docs.line(f":: {name}"), kind="djconn.claim")
    assert warning.text.startswith(f"djconn:claim `{name}`: unproven, but declared `holds`")
    assert claims[name]["verdict"] == "unproven"
    assert UNPROVEN[name][1] in claims[name]["reason"]


@pytest.mark.parametrize("name", [*HOLDS, "no-age"])
def test_what_the_run_shows_holds(claims: dict[str, dict[str, str]], name: str) -> None:
    assert claims[name]["verdict"] == "holds"


def test_nothing_can_be_declared_that_no_run_could_show(built: Built, shared_docs: Docs) -> None:
    warning = built.warning("index.rst", shared_docs.line(":: below-zero"), kind="djconn.claim")
    assert "`threads < 0` is false whatever a run shows" in warning.text
    assert "`threads >= 0` is true" in built.warning("index.rst", shared_docs.line(":: some-run")).text


def test_a_choice_of_cells_has_types_too(built: Built, shared_docs: Docs) -> None:
    warning = built.warning("index.rst", shared_docs.line(":: age-with-text"), kind="djconn.claim")
    assert '`:where:` of the matrix `ages`: `conn_max_age == "0"` compares a number with a text' in warning.text


def test_a_list_without_items_is_shown_as_empty(shared_docs: Docs, built: Built) -> None:
    assert "The reasons: empty." in shared_docs.build("text").read("index.txt")


def test_nothing_else_is_warned_of(built: Built) -> None:
    assert len(built.warnings) == len(ERRORS) + len(UNPROVEN) + 3
