"""``djconn:matrix``: many scenarios in one table, and claims and figures about its cells."""

import json
import re
import zlib
from xml.etree import ElementTree

import pytest

from tests.support.building import Built, Docs

MATRIX = """
    Matrix
    ======

    .. djconn:matrix:: servers
       :server: runserver, runserver-nothreading
       :conn-max-age: none, 0
       :facts: threads, db.opened
       :runs: 2
       :name: by-name
       :caption: All of *them*

       new connections
          3 x new client: GET /query

       keep-alive
          browser: GET /query as first
          browser: GET /query as second
"""

CLAIMS = """
    .. djconn:claim:: one-thread
       :in: servers
       :where: server == "runserver-nothreading"
       :expect: threads == 1

       There is one thread.

    .. djconn:claim:: one-everywhere
       :in: servers
       :expect: threads == 1
       :verdict: refuted

       There is one thread everywhere.

    .. djconn:claim:: reuses
       :in: servers
       :where: sequence == "keep-alive" and conn_max_age is None
       :expect: first.db_connection == second.db_connection

       Connections are reused.

    .. djconn:claim:: at-times
       :in: servers
       :sometimes: db.opened == 1

       There is one connection at times.

    .. djconn:claim:: of-one-cell
       :in: servers[server=runserver, conn-max-age=0, sequence=new connections]
       :expect: db.opened == 3

       Three are opened, by :djconn:fact:`servers[sequence=new connections, server=runserver] threads` threads.

    .. djconn:scenario:: same-as-a-cell
       :conn-max-age: none
       :runs: 2
       :show: requests

       3 x new client: GET /query
"""

OTHER = """
    Other
    =====

    Figures: :djconn:fact:`servers[server=runserver,conn-max-age=none,sequence=keep-alive] db.opened` and
    :djconn:fact:`servers db.opened`. Links: :djconn:scenario:`servers`,
    :djconn:scenario:`servers[server=runserver,conn-max-age=0,sequence=keep-alive]`, :ref:`by name <by-name>`,
    :any:`servers`, :djconn:claim:`one-everywhere`.

    .. djconn:claims::
       :all:
"""

VIEWS = """
    def query(request):
        connection.ensure_connection()
        return HttpResponse("ok")
"""

CELLS = [
    f"servers[server={server},conn-max-age={age},sequence={title}]"
    for server in ("runserver", "runserver-nothreading")
    for age in ("none", "0")
    for title in ("new connections", "keep-alive")
]


def cells(page: str) -> list[list[str]]:
    """Return the texts of the rows of the first matrix of ``page``."""
    table = re.search(r"<table[^>]*djconn-matrix.*?</table>", page, re.DOTALL)
    assert table is not None
    rows = ElementTree.fromstring(table[0]).iter("tr")
    return [["".join(cell.itertext()).strip() for cell in row] for row in rows]


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    shared_docs.configure(djconn_project=shared_docs.project(views=VIEWS))
    shared_docs.page("one", MATRIX + CLAIMS)
    shared_docs.page("other", OTHER)
    return shared_docs.build()


@pytest.fixture(scope="module")
def checked(built: Built, shared_docs: Docs) -> Built:
    return shared_docs.build("djconn")


def test_there_is_one_table_with_the_figures_of_every_cell(built: Built) -> None:
    assert built.warnings == []
    assert cells(built.read("one.html")) == [
        ["server", "conn-max-age", "sequence"],
        ["new connections", "keep-alive"],
        ["threads", "db.opened", "threads", "db.opened"],
        ["runserver", "none", "3", "3", "1", "1"],
        ["runserver", "0", "3", "3", "1", "2"],
        ["runserver-nothreading", "none", "1", "1", "1", "1"],
        ["runserver-nothreading", "0", "1", "3", "1", "2"],
    ]
    assert "All of <em>them</em>" in built.read("one.html")


def test_a_cell_that_equals_a_scenario_runs_once(built: Built) -> None:
    assert built.ran == sorted(CELLS)


def test_how_it_was_run_is_folded_below_the_table(built: Built) -> None:
    page = built.read("one.html")
    assert "<summary>How it was run: 8 cells, 2 times each</summary>" in page
    assert page.count("--nothreading") == 1


def test_a_claim_is_about_the_cells_that_it_chooses(checked: Built) -> None:
    assert checked.code == 0
    claims = {claim["id"]: claim for claim in json.loads(checked.read("claims.json"))}
    assert claims["one-thread"]["where"] == 'server == "runserver-nothreading"'
    assert claims["one-thread"]["reason"] == "threads is 1 (in all 4 cells)"
    assert "where" not in claims["one-everywhere"]
    assert claims["reuses"]["reason"].endswith("(in all 2 cells)")
    assert claims["of-one-cell"]["reason"].startswith("db.opened is 3 (in server=runserver, conn-max-age=0")


def test_the_reason_names_the_cell_that_decided(checked: Built) -> None:
    claims = {claim["id"]: claim["reason"] for claim in json.loads(checked.read("claims.json"))}
    cell = "server=runserver, conn-max-age=none, sequence=new connections"
    assert claims["one-everywhere"] == f"threads is 3 (in {cell}, run 1 of 2; false in 2 of 8 cells)"
    cell = "server=runserver, conn-max-age=none, sequence=keep-alive"
    assert claims["at-times"] == f"db.opened is 1 (in {cell}, run 1 of 2; true in 3 of 8 cells)"


def test_the_proof_of_a_claim_leads_to_the_cell_that_decided(built: Built) -> None:
    page = built.read("one.html")
    cell = "djconn-matrix-servers-server-runserver-conn-max-age-none-sequence-new-connections"
    assert f'href="#{cell}"' in page
    assert page.count(f'id="{cell}"') == 1
    assert page.index(f'id="{cell}"') < page.index("</table>")


def test_a_figure_is_of_one_cell_or_a_range_over_many(built: Built) -> None:
    page = built.read("other.html")
    assert 'Figures: <span class="djconn-fact">1</span> and' in page
    assert '<span class="djconn-fact">1–3 in 16 runs</span>. Links' in page
    assert "Three are opened, by 3 threads." in page


def test_links_lead_to_the_matrix_and_to_a_cell(built: Built) -> None:
    page = built.read("other.html")
    assert page.count('href="one.html#djconn-matrix-servers"') >= 2
    assert 'href="one.html#djconn-matrix-servers-server-runserver-conn-max-age-0-sequence-keep-alive"' in page
    assert 'href="one.html#by-name"' in page


def test_a_matrix_is_in_the_index_and_in_objects_inv_and_its_cells_are_not(built: Built) -> None:
    assert "servers (djconn matrix)" in built.read("genindex.html")
    inventory = built.folder.joinpath("objects.inv").read_bytes()
    entries = zlib.decompress(inventory.split(b"\n", 4)[4]).decode().splitlines()
    assert "servers djconn:matrix 1 one.html#djconn-matrix-$ -" in entries
    assert not [entry for entry in entries if entry.startswith("servers[")]


def test_facts_json_has_every_cell_with_its_axes(checked: Built) -> None:
    facts = json.loads(checked.read("facts.json"))
    assert set(facts) == {*CELLS, "same-as-a-cell"}
    cell = facts["servers[server=runserver,conn-max-age=none,sequence=keep-alive]"]
    assert cell["axes"]["server"] == "runserver"
    assert cell["axes"]["conn-max-age"] is None
    assert cell["axes"]["sequence"] == "keep-alive"
    assert cell["axes"]["database"] == "sqlite"
    assert [run["db.opened"] for run in cell["runs"]] == [1, 1]
    assert "sequence" not in facts["same-as-a-cell"]["axes"]


def test_the_other_reports_name_the_cells_too(checked: Built) -> None:
    assert '| servers where server == "runserver-nothreading" |' in checked.read("summary.md")
    assert "false in 2 of 8 cells" in checked.read("output.txt")
    suite = ElementTree.fromstring(checked.read("junit.xml"))
    assert {case.get("name") for case in suite} == {
        *("one-thread", "one-everywhere", "reuses", "at-times", "of-one-cell")
    }


@pytest.mark.parametrize("builder", ["dirhtml", "singlehtml", "text", "man", "latex", "texinfo", "epub", "xml"])
def test_every_builder_shows_a_matrix(built: Built, shared_docs: Docs, builder: str) -> None:
    other = shared_docs.build(builder)
    assert other.code == 0
    assert other.ran == []
    assert [each for each in other.warnings if "djconn" in each.text or "cell" in each.text] == []


def test_what_is_shown_of_each_cell_is_folded_and_figures_lead_to_it(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:matrix:: ages
           :conn-max-age: none, 0
           :show: requests, summary

           browser: GET / as only
        """,
    )
    page = docs.build().read("index.html")
    for age in ("none", "0"):
        assert f"<summary>conn-max-age={age}</summary>" in page
        assert page.count(f'href="#djconn-matrix-ages-conn-max-age-{age}-evidence"') == 3
        assert page.count(f'id="djconn-matrix-ages-conn-max-age-{age}-evidence"') == 1
    assert page.count("djconn-requests") == 2


def test_a_matrix_without_facts_shows_some(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", ".. djconn:matrix:: ages\n   :conn-max-age: none, 0, 60\n\n   browser: GET /\n")
    built = docs.build()
    assert cells(built.read("index.html"))[0] == [*("conn-max-age", "http.connections", "threads", "db.opened")]


def test_a_hidden_matrix_gives_claims_and_figures_their_cells(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:matrix:: ages
           :conn-max-age: none, 0
           :hidden:

           browser: GET /

        .. djconn:claim:: none
           :in: ages
           :expect: threads == 2
           :verdict: refuted

           There are two, or :djconn:fact:`ages[conn_max_age=0] threads`.
        """,
    )
    built = docs.build()
    assert built.warnings == []
    assert "djconn-matrix-ages-" not in built.read("index.html")
    assert 'href="#djconn-matrix-ages"' in built.read("index.html")
    assert "There are two, or " in built.read("index.html")


def test_servers_of_conf_py_and_environments_and_projects_are_axes(docs: Docs) -> None:
    command = ["{python}", "-m", "django", "runserver", "127.0.0.1:0", "--noreload"]
    docs.configure(
        djconn_project=docs.project(),
        djconn_servers={"mine": {"command": [*command, "--nothreading"]}},
    )
    docs.page(
        "index",
        """
        .. djconn:matrix:: profiles
           :server: runserver, mine
           :project: default, demo
           :conn-health-checks: true, false
           :facts: threads

           2 x new client: GET /plain/
           new client: GET / as last

        .. djconn:claim:: of-mine
           :in: profiles
           :where: server == "mine" and project == "demo" and not conn_health_checks
           :expect: threads == 1 and last.status == 302

           One thread, and a redirect.
        """,
    )
    built = docs.build("djconn")
    assert built.warnings == []
    assert len(built.ran) == 8
    assert "[server=mine,project=demo,conn-health-checks=false]" in " ".join(built.ran)


def test_a_label_that_not_every_sequence_has_is_a_fact_of_those_that_have_it(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:matrix:: labels
           :facts: requests, first.status

           with
              browser: GET / as first
              browser: GET /

           without
              browser: GET /
        """,
    )
    built = docs.build()
    assert built.warnings == []
    assert cells(built.read("index.html"))[1:] == [["with", "2", "200"], ["without", "1", "—"]]
    assert "this sequence has no such fact" in built.read("index.html")


def test_what_differs_between_runs_is_a_range(docs: Docs) -> None:
    views = """
    def differs(request):
        with open(os.path.join(os.path.dirname(__file__), "count.log"), "a+") as file:
            file.write("x")
            return HttpResponse(status=200 + file.tell())
    """
    docs.configure(djconn_project=docs.project(views=views), djconn_jobs=1)
    docs.page(
        "index",
        """
        .. djconn:matrix:: differing
           :conn-max-age: none, 0
           :facts: one.status
           :runs: 2

           browser: GET /differs as one
        """,
    )
    built = docs.build()
    assert built.warnings == []
    assert cells(built.read("index.html"))[1:] == [["none", "201–202 in 2 runs"], ["0", "203–204 in 2 runs"]]


def test_a_changed_matrix_runs_only_what_is_new_and_forgets_what_is_gone(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    page = """
        .. djconn:matrix:: changing
           :conn-max-age: {}

           one
              browser: GET /

           two
              {}
        """
    docs.page("index", page.format("none, 0", "2 x browser: GET /"))
    assert len(docs.build().ran) == len(docs.recordings) == 4
    docs.page("index", page.format("none, 0, 60", "2 x browser: GET /"))
    assert docs.build().ran == [f"changing[conn-max-age=60,sequence={title}]" for title in ("one", "two")]
    docs.page("index", page.format("none, 60", "3 x browser: GET /"))
    assert docs.build().ran == [f"changing[conn-max-age={age},sequence=two]" for age in ("60", "none")]
    assert len(docs.recordings) == 4
    assert docs.build().ran == []


@pytest.mark.exhaustive
def test_a_claim_about_other_cells_is_judged_anew_and_nothing_runs(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(views=VIEWS))
    docs.page("index", MATRIX + CLAIMS)
    assert docs.build("djconn").code == 0
    docs.page("index", MATRIX + CLAIMS.replace('== "runserver-nothreading"', '== "runserver"'))
    built = docs.build("djconn")
    assert built.ran == []
    warning = built.warning("index.rst", docs.line(":: one-thread"))
    assert 'In `servers where server == "runserver"`, `:expect: threads == 1` was checked' in warning.text


@pytest.mark.exhaustive
def test_a_matrix_that_is_refused_costs_no_recording(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    page = ".. djconn:matrix:: ages\n   :conn-max-age: {}\n\n   browser: GET /\n"
    docs.page("index", page.format("none, 0"))
    docs.build()
    docs.page("index", page.format("none, 0,"))
    docs.build()
    docs.page("index", page.format("none, 0"))
    assert docs.build().ran == []


@pytest.mark.exhaustive
def test_two_hundred_cells_of_twenty_behaviours_are_run_twenty_times(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    titled = "".join(f"\n           title {n}\n              {n % 2 + 1} x browser: GET /\n" for n in range(10))
    docs.page(
        "index",
        f"""
        .. djconn:matrix:: many
           :server: runserver, runserver-nothreading
           :conn-max-age: none, 0, 1, 2, 3, 4, 5, 6, 7, 8
           :facts: threads
{titled}
        .. djconn:claim:: refuted-somewhere
           :in: many
           :expect: requests == 1
           :verdict: refuted

           One request.
        """,
    )
    built = docs.build()
    assert built.warnings == []
    assert len(built.ran) == 40
    rows = cells(built.read("index.html"))
    assert [len(row) for row in rows] == [3, 10, *[12] * 20]
    assert "false in 100 of 200 cells" in built.read("index.html")
    assert len(built.read("index.html")) < 150_000


@pytest.mark.exhaustive
def test_several_processes_and_several_builds_give_the_same_pages(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(views=VIEWS))
    docs.page("one", MATRIX + CLAIMS)
    docs.page("other", OTHER)
    for number in range(6):
        docs.page(f"p{number}", f"P{number}\n==\n\n:djconn:fact:`servers threads`\n")
    assert docs.build_apart().warnings == []
    pages = {path.name: path.read_bytes() for path in docs.folder.joinpath("html").glob("*.html")}
    parallel = docs.build_apart("html", "-j", "2", "-E", "-a", "-D", "djconn_mode=run")
    assert parallel.warnings == []
    assert len(parallel.ran) == 8
    assert {path.name: path.read_bytes() for path in docs.folder.joinpath("html").glob("*.html")} == pages
    assert docs.build_apart("html", "-j", "2").ran == []


@pytest.mark.exhaustive
def test_a_matrix_is_replayed_where_nothing_may_run(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(views=VIEWS), djconn_recordings="kept")
    docs.page("index", MATRIX + CLAIMS)
    docs.build()
    page = docs.folder.joinpath("html", "index.html").read_bytes()
    replayed = docs.build("html", "-E", "-a", "-D", "djconn_mode=replay")
    assert (replayed.ran, replayed.warnings) == ([], [])
    assert docs.folder.joinpath("html", "index.html").read_bytes() == page
    docs.page("index", MATRIX.replace("none, 0", "none, 60, 0") + CLAIMS)
    replayed = docs.build("html", "-D", "djconn_mode=replay")
    stale = replayed.warning("index.rst", docs.line(":: servers"), kind="djconn.stale")
    assert "servers[server=runserver,conn-max-age=60,sequence=new connections]` (and 3 more" in stale.text
