"""What authors get wrong in matrices: each mistake is one warning, and the rest of the build goes on."""

import re

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Mistakes
    ========

    .. djconn:matrix:: good
       :server: runserver, runserver-nothreading
       :conn-max-age: none, 0
       :facts: threads

       keep-alive
          browser: GET / as first

       new connections
          2 x new client: GET /

    .. djconn:scenario:: single

       browser: GET /

    .. djconn:scenario:: list-in-a-scenario
       :conn-max-age: none, 0

       browser: GET /

    .. djconn:scenario:: servers-in-a-scenario
       :server: runserver, waitress

       browser: GET /

    .. djconn:matrix:: empty-axis
       :server: ,

       browser: GET /

    .. djconn:matrix:: empty-value
       :conn-max-age: none, , 0

       browser: GET /

    .. djconn:matrix:: same-value
       :conn-max-age: 60, 0, 60.0

       browser: GET /

    .. djconn:matrix:: bad-value
       :conn-max-age: none, forever

       browser: GET /

    .. djconn:matrix:: nothing-varies
       :server: runserver

       browser: GET /

    .. djconn:matrix:: too-many
       :conn-max-age: AGES
       :server: SERVERS

       browser: GET /

    .. djconn:matrix:: unknown-fact
       :conn-max-age: none, 0, 1
       :facts: threads, db.openned

       browser: GET /

    .. djconn:matrix:: no-fact
       :conn-max-age: none, 0, 2
       :facts: len(statuses)

       browser: GET /

    .. djconn:matrix:: same-fact
       :conn-max-age: none, 0, 3
       :facts: threads, processes, threads

       browser: GET /

    .. djconn:matrix:: unknown-label
       :conn-max-age: none, 0, 4
       :facts: frist.status

       browser: GET / as first

    .. djconn:matrix:: mixed

       one
          browser: GET /
          browser: GET /a-step-of-one

       browser: GET /a-step-of-none

    .. djconn:matrix:: same-title

       one
          browser: GET /

       two
          browser: GET /

       ONE
          browser: GET /

       two
          browser: GET /second-two

    .. djconn:matrix:: no-steps

       one
          browser: GET /

       nothing-below

    .. djconn:matrix:: bad-step

       one
          browser: GET /

       two
          browser: GET /
          browser: GTE /a-bad-step

    .. djconn:matrix:: without-body
       :conn-max-age: none, 0

    .. djconn:matrix:: bad-show
       :conn-max-age: none, 0
       :show: tabel

       browser: GET /

    .. djconn:matrix:: two words
       :conn-max-age: none, 0

       browser: GET /

    .. djconn:claim:: unknown-axis
       :in: good
       :where: servr == "runserver"
       :expect: threads == 1

       A sentence about an axis that there is not.

    .. djconn:claim:: unknown-value
       :in: good
       :where: server == "runserver-nothread"
       :expect: threads == 1

       A sentence about a value that there is not.

    .. djconn:claim:: chooses-nothing
       :in: good
       :where: conn_max_age == 0 and conn_max_age is None
       :expect: threads == 1

       A sentence about no cell.

    .. djconn:claim:: with-hyphens
       :in: good
       :where: conn-max-age == 0
       :expect: threads == 1

       A sentence about an axis in another spelling.

    .. djconn:claim:: where-in-a-scenario
       :in: single
       :where: server == "runserver"
       :expect: threads == 1

       A sentence about cells of a scenario.

    .. djconn:claim:: no-such-cell
       :in: good[server=runservr]
       :expect: threads == 1

       A sentence about a cell that there is not.

    .. djconn:claim:: no-such-matrix
       :in: goood[server=runserver]
       :expect: threads == 1

       A sentence about a cell of nothing.

    .. djconn:claim:: cell-of-a-scenario
       :in: single[server=runserver]
       :expect: threads == 1

       A sentence about a cell of a scenario.

    .. djconn:claim:: not-in-every-sequence
       :in: good
       :expect: first.status == 200

       A sentence about a label that some sequences have.

    .. djconn:claim:: of-a-refused-one
       :in: empty-axis
       :expect: threads == 1

       A sentence about a matrix that was refused.

    .. djconn:claim:: holds
       :in: good
       :where: sequence == "keep-alive"
       :expect: first.status == 200

       A sentence that is true.

    Figures: :djconn:fact:`good[servr=runserver] threads`,

    :djconn:fact:`good[conn-max-age=5] threads`,

    :djconn:fact:`good[conn-max-age=0`,

    :djconn:fact:`good[keep-alive] threads`,

    :djconn:fact:`good[server=runserver,server=runserver-nothreading] threads`,

    :djconn:fact:`single[server=runserver] threads`,

    :djconn:fact:`good[server=runserver]`,

    :djconn:fact:`empty-value threads`.
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    shared_docs.configure(djconn_project=shared_docs.project())
    page = PAGE.replace("AGES", ", ".join(map(str, range(40))))
    shared_docs.page("index", page.replace("SERVERS", ", ".join(f"s{number}" for number in range(40))))
    return shared_docs.build()


MATRICES = [
    (":conn-max-age: none, 0$", "`none, 0` is a list, and a scenario has one value; use djconn:matrix", 1),
    (":server: runserver, waitress", "is a list, and a scenario has one value; use djconn:matrix", 1),
    (":server: ,", "`,` has an empty value; write values with commas between them", 1),
    (":conn-max-age: none, , 0", "`none, , 0` has an empty value", 1),
    (":conn-max-age: 60, 0, 60.0", "option `:conn-max-age:`: `60` is in the list twice; remove one of them", 1),
    (":conn-max-age: none, forever", "`forever` is no age: use seconds, `none` for no limit, or nothing", 1),
    (":: nothing-varies", "nothing varies in it: give an option a list, as in `:conn-max-age: none, 0`", 1),
    (":: too-many", "1,600 cells (40 of `conn-max-age` x 40 of `server`) are more than 1,000; split", 1),
    ("db.openned", "option `:facts:`: no fact 'db.openned'; did you mean 'db.opened'?", 1),
    ("len(statuses)", "`len(statuses)` is no name of a fact; write names with commas between them", 1),
    ("threads, processes, threads", "`threads` is named twice; remove one of them", 1),
    ("frist.status", "option `:facts:`: no step has the label 'frist'; did you mean 'first'?", 1),
    ("a-step-of-none", "stands among titled sequences and belongs to none; indent it below a title", 1),
    ("second-two", "the title 'two' is given twice; give each sequence a title of its own", 0),
    ("nothing-below", "'nothing-below' is neither a step nor a title with steps below it", 1),
    ("a-bad-step", "'GTE' is not an HTTP method; did you mean 'GET'?", 1),
    (":: without-body", "the sequence has no step; write at least one", 1),
    (":show: tabel", "unknown part of the evidence `tabel`", 1),
    (":: two words", "`two words` is no name: use one word of letters", 1),
]

CLAIMS = [
    (":: unknown-axis", "a claim about nothing: `:where:` of the matrix `good`: no axis 'servr'; did you mean"),
    (":: unknown-value", "has no value \"runserver-nothread\"; did you mean 'runserver-nothreading'?"),
    (":: chooses-nothing", 'chooses no cell; in the cells, server is "runserver" or "runserver-nothreading"; '),
    (":: with-hyphens", "write 'conn_max_age' for 'conn-max-age'"),
    (":: where-in-a-scenario", "`:where:` chooses cells of a matrix, and `single` is a scenario; remove it"),
    (":: no-such-cell", "unknown value of the axis `server` `runservr`; did you mean `runserver`?"),
    (":: no-such-matrix", "unknown scenario `goood`; did you mean `good`?"),
    (":: cell-of-a-scenario", "`[server=runserver]` chooses cells of a matrix, and `single` is a scenario"),
    (
        ":: not-in-every-sequence",
        "no step has the label 'first' (in the cell server=runserver, conn-max-age=none, sequence=new",
    ),
    (":: of-a-refused-one", "no run of the matrix `empty-axis` reached its end; its own warning says why"),
]

FIGURES = [
    ("good[servr", "unknown axis of `good` `servr`; did you mean `server`?"),
    ("good[conn-max-age=5]", "unknown value of the axis `conn-max-age` `5`. Known: none, 0"),
    ("good[conn-max-age=0`", "`good[conn-max-age=0` names no cells; write them as in `matrix[axis=value,"),
    ("good[keep-alive]", "`keep-alive` chooses no cells; write an axis and its value, as in"),
    ("good[server=runserver,server=", "has no cell; name each axis once"),
    ("fact:`single[", "`[server=runserver]` chooses cells of a matrix, and `single` is a scenario"),
    ("good[server=runserver]`", "name a fact after the scenario, as in `keep-alive threads`"),
    ("fact:`empty-value", "no run of the matrix `empty-value` reached its end"),
]


@pytest.mark.parametrize(("where", "told", "above"), MATRICES)
def test_a_mistake_in_a_matrix_is_told_at_its_line(
    built: Built, shared_docs: Docs, where: str, told: str, above: int
) -> None:
    if where.endswith("$"):
        line = shared_docs.line(":: list-in-a-scenario") + 1
    else:
        line = shared_docs.line(where) - (not above)
    warning = built.warning("index.rst", line)
    assert told in warning.text
    assert warning.kind == "djconn.config"
    assert re.match(r"djconn:(matrix|scenario) `", warning.text)


@pytest.mark.parametrize(("where", "told"), CLAIMS)
def test_a_claim_that_no_cell_could_refute_is_told(
    built: Built, shared_docs: Docs, where: str, told: str
) -> None:
    warning = built.warning("index.rst", shared_docs.line(where))
    assert told in warning.text
    assert warning.kind == "djconn.claim"


@pytest.mark.parametrize(("where", "told"), FIGURES)
def test_a_figure_of_no_cell_is_told(built: Built, shared_docs: Docs, where: str, told: str) -> None:
    warning = built.warning("index.rst", shared_docs.line(where))
    assert told in warning.text
    assert warning.kind == "djconn.config"


def test_nothing_else_is_told_and_only_what_is_right_runs(built: Built) -> None:
    ours = [warning for warning in built.warnings if warning.kind.startswith("djconn.")]
    assert len(ours) == len(MATRICES) + len(CLAIMS) + len(FIGURES)
    assert len(built.ran) == 8 + 1
    assert "The matrix empty-axis has no evidence: its directive has an error" in built.read("index.html")


def test_no_claim_about_no_cell_passes(built: Built, shared_docs: Docs) -> None:
    checked = shared_docs.build("djconn")
    assert checked.code == 1
    assert f"{len(CLAIMS) + 1} claims, 1 as declared" in checked.status


FAILING = """
    .. djconn:matrix:: failing
       :server: runserver, runserver-nothreading, mine
       :conn-max-age: none, 0
       :facts: threads, requests
       :show: requests

       fine
          browser: GET /

       refused
          browser: GET / -> {}

    .. djconn:claim:: about-the-others
       :in: failing
       :where: server != "mine" and sequence == "fine"
       :expect: threads == 1

       One thread.

    .. djconn:claim:: about-all
       :in: failing
       :expect: threads == 1

       One thread everywhere.

    .. djconn:claim:: one-is-enough
       :in: failing
       :sometimes: threads == 1

       One thread at times.
"""


@pytest.fixture
def failing(docs: Docs) -> Built:
    docs.configure(djconn_project=docs.project(), djconn_servers={"mine": {"command": ["{python}", "-c", "1"]}})
    docs.page("index", FAILING.format(500))
    return docs.build()


def test_a_cell_that_fails_says_why_in_the_table_and_the_others_are_shown(failing: Built) -> None:
    page = failing.read("index.html")
    table = page[page.index("<table") : page.index("</table>")]
    rows = [re.sub(r"<[^>]+>|\s+", " ", row) for row in table.split("<tr")[4:]]
    assert re.search(r"runserver\s+none\s+1\s+1\s+failed\s*: `GET /` was expected to answer 500", rows[0])
    assert re.search(r"mine\s+none\s+failed\s*: the server .*failed\s*: the server ", rows[4])
    assert page.count("djconn-failure") == 2
    assert "and 3 more cells: `GET /` was expected to answer 500 and answered 200" in page
    assert page.count("<summary>server=") == 4


def test_cells_that_fail_alike_are_told_once_with_the_line_of_the_step(failing: Built, docs: Docs) -> None:
    step = failing.warning("index.rst", docs.line("-> 500"), kind="djconn.run")
    first = "failing[server=runserver,conn-max-age=none,sequence=refused]"
    assert step.text.startswith(f"djconn:matrix `{first}` (and 3 more of its cells): ")
    server = failing.warning("index.rst", docs.line(":: failing"), kind="djconn.run")
    assert "[server=mine,conn-max-age=none,sequence=fine]` (and 3 more of its cells): " in server.text


def test_a_claim_about_a_cell_that_failed_is_unproven_unless_another_decides(
    failing: Built, docs: Docs
) -> None:
    claims = [warning for warning in failing.warnings if warning.kind == "djconn.claim"]
    assert [warning.line for warning in claims] == [docs.line(":: about-all")]
    assert (
        "unproven: no run in the cell server=runserver, conn-max-age=none, sequence=refused" in claims[0].text
    )


def test_the_cells_that_did_not_run_are_in_the_reports(failing: Built, docs: Docs) -> None:
    checked = docs.build("djconn")
    assert checked.code == 1
    assert "scenario failing[server=mine,conn-max-age=0,sequence=fine] did not run" in checked.read(
        "output.txt"
    )
    assert 'name="scenario failing[server=mine,conn-max-age=0,sequence=fine]"' in checked.read("junit.xml")


def test_the_line_of_a_step_is_that_of_each_page_that_has_it(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "one",
        """
        .. djconn:matrix:: titled
           :conn-max-age: none, 0

           fine
              browser: GET /

           refused
              # a comment
              browser: GET /
              together:
                 new client: GET /
                 browser: GET / -> 201
        """,
    )
    docs.page(
        "two",
        """
        .. djconn:scenario:: the-same
           :conn-max-age: none

           browser: GET /
           together:
              new client: GET /
              browser: GET / -> 201
        """,
    )
    built = docs.build()
    assert len(built.ran) == 4
    assert (
        "titled[conn-max-age=none,sequence=refused]" in built.warning("one.rst", docs.line("201", "one")).text
    )
    assert "scenario `the-same`" in built.warning("two.rst", docs.line("201", "two")).text


def test_a_profile_that_there_is_not_fails_its_cells_alone(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:matrix:: profiles
           :server: runserver, runsever
           :conn-max-age: none, 0, 1
           :facts: threads

           browser: GET /
        """,
    )
    built = docs.build()
    (warning,) = built.warnings
    assert warning.kind == "djconn.config"
    assert warning.text.startswith("djconn:matrix `profiles[server=runsever,conn-max-age=none]` (and 2 more of")
    assert "unknown server `runsever`; did you mean `runserver`?" in warning.text
    assert len(built.ran) == 3
    assert "unknown server `runsever`" in built.read("index.html")


def test_of_a_matrix_and_a_scenario_with_one_name_the_first_counts(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:matrix:: same
           :conn-max-age: none, 0

           browser: GET /

        .. djconn:scenario:: same

           2 x browser: GET /

        .. djconn:matrix:: same
           :conn-max-age: none, 60

           browser: GET /

        .. djconn:claim:: one
           :in: same
           :where: conn_max_age == 0
           :expect: requests == 1

           One request.
        """,
    )
    built = docs.build()
    assert [warning.line for warning in built.warnings] == [6, 10]
    assert built.warnings[0].text.startswith("djconn:scenario `same`: declared twice: the one at ")
    assert built.warnings[1].text.startswith("djconn:matrix `same`: declared twice: the one at ")
    assert built.ran == ["same[conn-max-age=0]", "same[conn-max-age=none]"]
    assert built.read("index.html").count("declared twice") == 2
