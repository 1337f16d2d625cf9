"""What authors get wrong in claims about releases: each mistake is one warning, and nothing is run for it."""

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Mistakes
    ========

    .. djconn:scenario:: plain

       browser: GET / as first

    .. djconn:scenario:: refused

       browser: FETCH /

    .. djconn:matrix:: two
       :conn-max-age: none, 0

       browser: GET /

    .. djconn:since:: no-scenario
       :in: plian
       :releases: 4.2, 5.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: in-a-matrix
       :in: two
       :releases: 4.2, 5.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: in-what-was-refused
       :in: refused
       :releases: 4.2, 5.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: wrong-fact
       :in: plain
       :releases: 4.2, 5.0
       :expect: thread == 1

       A sentence.

    .. djconn:since:: wrong-label
       :in: plain
       :releases: 4.2, 5.0
       :expect: second.thread is None

       A sentence.

    .. djconn:since:: never-was
       :in: plain
       :releases: 2.0.99, 3.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: backwards
       :in: plain
       :releases: 3.2 to 2.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: out-of-order
       :in: plain
       :releases: 2.1.4, 2.1.3
       :expect: threads == 1

       A sentence.

    .. djconn:since:: twice-in-the-list
       :in: plain
       :releases: 4.2, current, 4.2
       :expect: threads == 1

       A sentence.

    .. djconn:since:: one-release
       :in: plain
       :releases: 4.2
       :expect: threads == 1

       A sentence.

    .. djconn:since:: no-comma
       :in: plain
       :releases: 4.2 5.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: no-releases
       :in: plain
       :expect: threads == 1

       A sentence.

    .. djconn:since:: both
       :in: plain
       :releases: 4.2, 5.0
       :expect: threads == 1
       :since: 5.0
       :until: 4.2

       A sentence.

    .. djconn:since:: not-in-the-list
       :in: plain
       :releases: 4.2, 5.0
       :expect: threads == 1
       :since: 4.2.1

       A sentence.

    .. djconn:since:: since-the-first
       :in: plain
       :releases: 4.2, 5.0
       :expect: threads == 1
       :since: 4.2

       A sentence.

    .. djconn:since:: until-the-last
       :in: plain
       :releases: 4.2, 5.0
       :expect: threads == 1
       :until: 5.0

       A sentence.

    .. djconn:since:: nothing-expected
       :in: plain
       :releases: 4.2, 5.0

       A sentence.

    .. djconn:since:: no-sentence
       :in: plain
       :releases: 4.2, 5.0
       :expect: threads == 1

    .. djconn:since:: about-nothing
       :releases: 4.2, 5.0
       :expect: threads == 1

       A sentence.

    .. djconn:since:: wrong-part
       :in: plain
       :releases: 4.2, 5.0
       :expect: threads == 1
       :show: request

       A sentence.
"""

MISTAKES = {
    "no-scenario": ("claim", "a claim about nothing: unknown scenario `plian`; did you mean `plain`?"),
    "in-a-matrix": ("claim", "`two` is a matrix, and djconn:since varies the environment of one scenario"),
    "in-what-was-refused": ("claim", "the scenario `refused` has an error"),
    "wrong-fact": ("claim", "no fact 'thread'; did you mean 'threads'?"),
    "wrong-label": ("claim", "no step has the label 'second'"),
    "never-was": (
        "config",
        "option `:releases:`: there is no Django 2.0.99: the last release of its series is",
    ),
    "backwards": ("config", "option `:releases:`: `3.2 to 2.0` goes backwards; write `2.0 to 3.2`"),
    "out-of-order": ("config", "2.1.3 stands after 2.1.4; write the releases from the oldest to the newest"),
    "twice-in-the-list": ("config", "4.2 is in the list twice; remove one of them"),
    "one-release": ("config", "4.2 is one release, and nothing can change in one; name several"),
    "no-comma": ("config", "`4.2 5.0` is no release; write a list, as in `2.1.3, 2.1.4, 4.2`, or `2.0 to 3.2`"),
    "no-releases": ("config", "the releases are missing: name them with `:releases:`, as in `2.0 to 3.2`"),
    "both": ("config", "give it one of `:since:` (true from it on) and `:until:` (true up to it), not both"),
    "not-in-the-list": (
        "config",
        "option `:since:`: unknown release of `:releases:` `4.2.1`; did you mean `4.2`?",
    ),
    "since-the-first": ("config", "option `:since:`: 4.2 is the first of the releases, so that nothing could"),
    "until-the-last": ("config", "option `:until:`: 5.0 is the last of the releases, so that nothing could"),
    "nothing-expected": ("config", "give it one of `:expect:` (true in every run) and `:sometimes:`"),
    "no-sentence": ("config", "the sentence that it claims is missing: write it as the body"),
    "about-nothing": ("config", "a claim about nothing: name its scenario with `:in:`"),
    "wrong-part": (
        "config",
        "option `:show:`: unknown part of the evidence `request`; did you mean `requests`?",
    ),
}


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    """One build of the page."""
    shared_docs.configure(djconn_project=shared_docs.project())
    shared_docs.page("index", PAGE)
    return shared_docs.build()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_warning_that_says_what_to_do(built: Built, name: str):
    found = [each for each in built.warnings if f"djconn:since `{name}`" in each.text]
    kind, message = MISTAKES[name]
    assert [each.kind for each in found] == [f"djconn.{kind}"]
    assert message in found[0].text
    assert found[0].file == "index.rst"


@pytest.mark.parametrize(
    ("name", "line"), [("never-was", ":releases: 2.0.99, 3.0"), ("not-in-the-list", ":since: 4.2.1")]
)
def test_a_mistake_in_an_option_is_told_at_its_line(built: Built, shared_docs: Docs, name: str, line: str):
    found = next(each for each in built.warnings if f"djconn:since `{name}`" in each.text)
    assert found.line == shared_docs.line(line)


def test_there_is_no_other_warning(built: Built):
    others = [each.text for each in built.warnings if "djconn:since" not in each.text]
    assert len(others) == 1
    assert "djconn:scenario `refused`" in others[0]


def test_no_release_is_run_for_a_mistake(built: Built):
    assert built.ran == ["plain", "two[conn-max-age=0]", "two[conn-max-age=none]"]


def test_sentences_stay_on_the_page(built: Built):
    assert built.read("index.html").count("A sentence.") == len(MISTAKES) - 1
