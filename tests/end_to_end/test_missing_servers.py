"""Servers that are not there, or cannot be: each says how to have it, and no other scenario suffers."""

import pytest

from tests.support.building import Built, Docs

WAITRESS = ["waitress-serve", "--listen=127.0.0.1:{port}", "{wsgi}"]

PAGE = """
    Servers
    =======

    .. djconn:scenario:: good

       browser: GET / as first

    .. djconn:scenario:: is-not-installed
       :server: not-installed

       browser: GET / as first

    .. djconn:scenario:: is-too-old
       :server: too-old

       browser: GET /

    .. djconn:scenario:: has-no-program
       :server: no-program

       browser: GET /

    .. djconn:scenario:: has-an-unknown-place
       :server: unknown-place

       browser: GET /

    .. djconn:claim:: about-the-absent
       :in: is-not-installed
       :expect: first.status == 200

       It answers, where it is installed.

    .. djconn:claim:: about-the-good
       :in: good
       :expect: first.status == 200

       It answers.

    There were :djconn:fact:`is-not-installed threads` threads.
"""

ABSENT = [
    (":: is-not-installed", "the server `not-installed` is not installed: there is no no-such-server in "),
    (":: is-not-installed", "install it with `pip install no-such-server`, or all servers with `pip install "),
    (":: is-too-old", "the server `too-old` needs django>=999, and "),
    (":: is-too-old", "is installed; install another version with `pip install 'django>=999'`"),
    (":: has-no-program", "the program `no-such-program` is neither in "),
    (":: has-no-program", "nor on the PATH; install it, or give its full path in `djconn_servers`"),
    (":: about-the-absent", "unproven: no run of the scenario `is-not-installed` reached its end"),
    ("djconn:fact:`", "no run of the scenario `is-not-installed` reached its end"),
]


@pytest.fixture(scope="module")
def described(shared_docs: Docs) -> Docs:
    shared_docs.configure(
        djconn_project=shared_docs.project(),
        djconn_servers={
            "not-installed": {"command": WAITRESS, "requires": ["no-such-server"]},
            "too-old": {"command": WAITRESS, "requires": ["django>=999"]},
            "no-program": {"command": ["no-such-program", "{port}"]},
            "unknown-place": {"command": ["{python}", "--port={prot}"]},
        },
    )
    shared_docs.page("index", PAGE)
    return shared_docs


@pytest.fixture(scope="module")
def built(described: Docs) -> Built:
    return described.build()


@pytest.mark.parametrize(("where", "told"), ABSENT)
def test_what_is_not_installed_is_told_with_how_to_have_it(
    built: Built, described: Docs, where: str, told: str
) -> None:
    assert told in built.warning("index.rst", described.line(where), kind="djconn.absent").text


def test_a_word_in_braces_that_means_nothing_is_told_with_those_that_do(built: Built, described: Docs) -> None:
    warning = built.warning("index.rst", described.line(":: has-an-unknown-place"), kind="djconn.config")
    assert (
        "djconn_servers['unknown-place']: unknown placeholder `{prot}`. Known: {python}, {port},"
        in warning.text
    )


def test_the_page_says_what_is_missing_where_the_evidence_would_be(built: Built) -> None:
    page = built.read("index.html")
    assert (
        "The scenario is-not-installed has no evidence: the server not-installed is not installed"
        in page.replace("`", "")
    )
    assert "It answers." in page


def test_no_other_warning_is_of_the_absent(built: Built) -> None:
    ours = [warning.kind for warning in built.warnings if warning.kind.startswith("djconn.")]
    assert sorted(ours) == ["djconn.absent"] * 5 + ["djconn.config"]


def test_nothing_is_left(built: Built, described: Docs) -> None:
    assert described.left_behind() == []


def test_what_is_suppressed_is_no_license_for_a_sentence_that_is_wrong(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(), suppress_warnings=["djconn.absent"])
    docs.page(
        "index",
        """
        Page
        ====

        .. djconn:scenario:: good

           browser: GET / as first

        .. djconn:claim:: wrong
           :in: good
           :expect: first.status == 404

           It answers 404.
        """,
    )
    built = docs.build("html", "-W")
    assert built.code == 1
    built.warning("index.rst", docs.line(":: wrong"), kind="djconn.claim")
