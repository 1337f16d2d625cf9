"""What authors get wrong in pages: each mistake is one warning, and the rest of the build goes on."""

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Mistakes
    ========

    .. djconn:scenario:: good

       browser: GET / as first

    .. djconn:scenario:: unknown-server
       :server: runsever

       browser: GET /

    .. djconn:scenario:: unknown-database
       :database: postgres

       browser: GET /

    .. djconn:scenario:: unknown-environment
       :environment: django-99

       browser: GET /

    .. djconn:scenario:: unknown-project
       :project: shop

       browser: GET /

    .. djconn:scenario:: unknown-step

       browser: GET /
       browser: FETCH /polls/

    .. djconn:scenario:: two words

       browser: GET /

    .. djconn:scenario:: below-options
       :server: runserver
       :conn-max-age: 60


       # a comment
       browser: GET /

       browser: GET polls/

    .. djconn:scenario:: bad-age
       :conn-max-age: forever

       browser: GET /

    .. djconn:scenario:: bad-runs
       :runs: 0

       browser: GET /

    .. djconn:scenario:: bad-timeout
       :timeout: soon

       browser: GET /

    .. djconn:scenario:: bad-show
       :show: requests, sumary

       browser: GET /

    .. djconn:scenario:: bad-checks
       :conn-health-checks: maybe

       browser: GET /

    .. djconn:scenario:: bad-collection
       :garbage-collection: each-requests

       browser: GET /

    .. djconn:scenario:: no-step
       :conn-max-age: 60

    .. djconn:scenario:: only-a-comment

       # GET /

    .. djconn:scenario:: no-reload

       browser: GET /
       reload

    .. djconn:scenario:: no-fault

       browser: GET /
       database: restart

    .. djconn:claim:: unknown-fact
       :in: good
       :expect: thread == 1

       A sentence with a fact that there is not.

    .. djconn:claim:: unknown-label
       :in: good
       :expect: frist.thread is None

       A sentence with a label that there is not.

    .. djconn:claim:: no-expression
       :in: good
       :expect: threads ==

       A sentence with half an expression.

    .. djconn:claim:: about-nothing
       :expect: threads == 1

       A sentence about nothing.

    .. djconn:claim:: about-no-scenario
       :in: goood
       :expect: threads == 1

       A sentence about a scenario that there is not.

    .. djconn:claim:: about-a-refused-one
       :in: unknown-step
       :expect: threads == 1

       A sentence about a scenario that was refused.

    .. djconn:claim:: about-no-fact
       :in: good
       :expect: 1 == 1

       A sentence that nothing could refute.

    .. djconn:claim:: expects-nothing
       :in: good

       A sentence without an expression.

    .. djconn:claim:: says-nothing
       :in: good
       :expect: threads == 1

    .. djconn:claim:: nothing-is-unproven
       :in: goood
       :expect: threads == 1
       :verdict: unproven

       A sentence that has found its way to be as declared.

    .. djconn:claim:: bad-verdict
       :in: good
       :expect: threads == 1
       :verdict: true

       A sentence with a verdict that there is not.

    .. djconn:claim:: refuted
       :in: good
       :expect: threads == 2

       A sentence that is not true.

    .. djconn:claim:: holds
       :in: good
       :expect: threads == 1

       A sentence that is true.

    Figures: :djconn:fact:`good threads`,

    :djconn:fact:`goood requests`,

    :djconn:fact:`good theads`,

    :djconn:fact:`good`,

    :djconn:fact:`bad-age threads`.

    A link to :djconn:claim:`nobody-said-so`, one to :djconn:scenario:`nowhere`.

    .. note::

       .. djconn:scenario:: within-a-note
          :conn-max-age: none

          browser: GET /
          browser: GET / -> 99

    .. include:: part.txt
"""

PART = """
    A part of several pages.

    .. djconn:scenario:: within-a-part
       :conn-max-age: none

       browser: GET /
       browser: GETT /

    .. djconn:claim:: claimed-in-a-part
       :in: good
       :expect: threads == 3

       A sentence in a file that is included.
"""

TWICE = """
    The same names again
    ====================

    .. djconn:scenario:: good

       7 x browser: GET /

    .. djconn:claim:: holds
       :in: good
       :expect: threads == 1

       Another sentence under the same name.
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    shared_docs.configure(djconn_project=shared_docs.project())
    shared_docs.page("part.txt", PART)
    shared_docs.page("index", PAGE)
    shared_docs.page("twice", TWICE)
    return shared_docs.build()


SCENARIOS = [
    (":: unknown-server", "unknown server `runsever`; did you mean `runserver`?"),
    (":: unknown-database", "unknown database `postgres`; did you mean `postgresql`? Known: sqlite"),
    (":: unknown-environment", "unknown environment `django-99`; did you mean `django-6.1`? Known: current"),
    (":: unknown-project", "unknown project `shop`. Known: demo, default"),
    ("browser: FETCH /polls/", "'FETCH' is not an HTTP method"),
    (":: two words", "`two words` is no name: use one word of letters, digits, `-`, `_` and `.`"),
    ("browser: GET polls/", "path 'polls/' does not begin with '/'"),
    (":conn-max-age: forever", "`forever` is no age: use seconds, `none` for no limit, or nothing"),
    (":runs: 0", "`0` is no number of runs: use one from 1 to 1000"),
    (":timeout: soon", "`soon` is no time limit: use seconds, such as `10`"),
    (":show: requests, sumary", "unknown part of the evidence `sumary`; did you mean `summary`?"),
    (":conn-health-checks: maybe", "`maybe` is neither `true` nor `false`"),
    (
        ":garbage-collection: each-requests",
        "unknown garbage collection `each-requests`; did you mean `each-request`? Known: automatic, off, ",
    ),
    (":: no-step", "the sequence has no step; write at least one, as in 'browser: GET /polls/'"),
    ("# GET /", "the sequence has no step"),
    ("   reload", "the step `reload` needs a server that reloads, which `runserver` does not; use one of"),
    ("database: restart", "the step `database: restart` needs a database server, and `sqlite` has"),
    ("browser: GET / -> 99", "'99' after '->' is not a status code; write one from 100 to 599"),
]

CLAIMS = [
    (":: unknown-fact", "djconn.claim", "no fact 'thread'; did you mean 'threads'?"),
    (":: unknown-label", "djconn.claim", "no step has the label 'frist'; did you mean 'first'?"),
    (":: no-expression", "djconn.claim", "`threads ==` is not an expression"),
    (":: about-nothing", "djconn.config", "a claim about nothing: name its scenario or matrix with `:in:`"),
    (":: about-no-scenario", "djconn.claim", "a claim about nothing: unknown scenario `goood`; did you"),
    (":: about-a-refused-one", "djconn.claim", "no run of the scenario `unknown-step` reached its end"),
    (":: about-no-fact", "djconn.claim", "`1 == 1` is the same in every run: nothing could refute it"),
    (":: expects-nothing", "djconn.config", "give it one of `:expect:` (true in every run) and"),
    (":: says-nothing", "djconn.config", "the sentence that it claims is missing: write it as the body"),
    (":: nothing-is-unproven", "djconn.claim", "a claim about nothing: unknown scenario `goood`"),
    (":verdict: true", "djconn.config", "unknown verdict `true`. Known: holds, refuted, unproven"),
    (
        ":: refuted",
        "djconn.claim",
        "“A sentence that is not true.” In `good`, `:expect: threads == 2` was checked; threads is 1. ",
    ),
]

ROLES = [
    ("goood requests", "djconn.config", "unknown scenario `goood`; did you mean `good`?"),
    ("good theads", "djconn.config", "no fact 'theads'; did you mean 'threads'?"),
    ("fact:`good`", "djconn.config", "name a fact after the scenario, as in `keep-alive threads`"),
    ("bad-age threads", "djconn.config", "no run of the scenario `bad-age` reached its end"),
]


@pytest.mark.parametrize(("where", "told"), SCENARIOS)
def test_a_mistake_in_a_scenario_is_told_at_its_line(
    built: Built, shared_docs: Docs, where: str, told: str
) -> None:
    warning = built.warning("index.rst", shared_docs.line(where))
    assert told in warning.text
    assert warning.kind == "djconn.config"
    assert "djconn:scenario `" in warning.text


@pytest.mark.parametrize(("where", "kind", "told"), CLAIMS)
def test_a_mistake_in_a_claim_is_told_at_its_line(
    built: Built, shared_docs: Docs, where: str, kind: str, told: str
) -> None:
    warning = built.warning("index.rst", shared_docs.line(where))
    assert told in warning.text
    assert warning.kind == kind
    assert "djconn:claim `" in warning.text


@pytest.mark.parametrize(("where", "kind", "told"), ROLES)
def test_a_mistake_in_a_figure_is_told_at_its_line(
    built: Built, shared_docs: Docs, where: str, kind: str, told: str
) -> None:
    warning = built.warning("index.rst", shared_docs.line(where))
    assert told in warning.text
    assert warning.kind == kind


def test_a_link_to_no_claim_and_to_no_scenario_is_told(built: Built, shared_docs: Docs) -> None:
    line = shared_docs.line("A link to")
    assert (
        "no djconn:claim is named `nobody-said-so`" in built.warning("index.rst", line, kind="ref.claim").text
    )
    assert (
        "no djconn:scenario or djconn:matrix is named `nowhere`"
        in built.warning("index.rst", line, kind="ref.scenario").text
    )


def test_the_line_in_a_file_that_is_included_is_that_file_s(built: Built, shared_docs: Docs) -> None:
    step = built.warning("part.txt", shared_docs.line("GETT", "part.txt"))
    assert "'GETT' is not an HTTP method; did you mean 'GET'?" in step.text
    claim = built.warning("part.txt", shared_docs.line(":: claimed-in-a-part", "part.txt"))
    assert "refuted, but declared `holds`" in claim.text


@pytest.mark.parametrize("what", ["djconn:scenario `good`", "djconn:claim `holds`"])
def test_of_two_with_one_name_the_first_counts_and_both_places_are_named(
    built: Built, shared_docs: Docs, what: str
) -> None:
    word = what.split("`")[1]
    first = f"{shared_docs.source / 'index.rst'}:{shared_docs.line(f':: {word}')}"
    warning = built.warning("twice.rst", shared_docs.line(f":: {word}", "twice"), kind="djconn.config")
    assert warning.text.startswith(f"{what}: declared twice: the one at {first} counts")
    assert "give it another name" in warning.text


def test_nothing_is_shown_under_a_name_that_does_not_count(built: Built) -> None:
    page = built.read("twice.html")
    assert "Another sentence under the same name." in page
    assert "7 x browser" not in page
    assert "djconn-verdict" not in page
    assert "declared twice" in page


def test_nothing_else_is_told(built: Built) -> None:
    ours = [warning for warning in built.warnings if warning.kind.startswith("djconn.")]
    assert len(ours) == len(SCENARIOS) + len(CLAIMS) + len(ROLES) + 4


def test_the_rest_of_the_page_is_as_it_would_be(built: Built) -> None:
    assert built.ran == ["good"]
    page = built.read("index.html")
    assert 'Figures: <span class="djconn-fact">1</span>' in page
    assert "A sentence about nothing." in page


def test_the_mistakes_are_told_again_in_a_build_that_reads_nothing(built: Built, shared_docs: Docs) -> None:
    again = shared_docs.build("html", "-q")
    ours = [warning for warning in built.warnings if warning.kind.startswith("djconn.")]
    assert [warning for warning in again.warnings if warning.kind.startswith("djconn.")] == ours


def test_the_check_fails_for_them(built: Built, shared_docs: Docs) -> None:
    checked = shared_docs.build("djconn")
    assert checked.code == 1
    assert "declared twice" in checked.read("output.txt")


def test_one_claim_that_was_refused_fails_the_check(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:scenario:: good

           browser: GET /

        .. djconn:claim:: about-nothing
           :expect: threads == 1

           A sentence.
        """,
    )
    checked = docs.build("djconn")
    assert [warning.kind for warning in checked.warnings] == ["djconn.config"]
    assert checked.code == 1
