import pytest

from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.reading import Trace
from tests.evidence.evidence_pages import rows
from tests.evidence.synthetic_traces import (
    Simulation,
    at_once,
    keep_alive,
    new_clients,
    outside_of_django,
    scenario,
    started_threads,
)

HEAD = ["#", "Client", "Request", "Status", "HTTP connection", "Thread", "Database connection"]


def requests(one: Scenario, trace: Trace) -> list[list[str]]:
    return rows(evidence(one, [trace], ["requests"]))


def test_requests_that_say_the_same_share_a_row():
    assert requests(*keep_alive()) == [
        HEAD,
        ["1", "browser", "GET /polls/ as first", "200", "H1 new", "T1", "C1 opened"],
        ["2–6", "browser", "GET /polls/", "200", "H1 kept", "T1", "C1 reused"],
    ]


def test_two_requests_that_say_the_same_keep_a_row_each():
    run = Simulation()
    for _ in range(3):
        run.request("browser")
    table = requests(scenario("3 x browser: GET /polls/", "browser"), run.trace())
    assert [row[0] for row in table] == ["#", "1", "2", "3"]


def test_a_row_names_what_served_the_request_and_what_became_of_its_connection():
    table = requests(*new_clients(2))
    assert table[2] == [
        "2",
        "new client",
        "GET /polls/",
        "200",
        "H2 new",
        "T2",
        "C2 opened, then abandoned",
    ]


def test_an_abandoned_connection_is_explained_below_the_table():
    _, remark = evidence(*_with_list(new_clients(2)), ["requests"])
    assert remark.astext().startswith("Abandoned: Django never closed the connection")


def test_nothing_is_explained_where_nothing_is_abandoned():
    assert len(evidence(*_with_list(keep_alive()), ["requests"])) == 1


def test_a_connection_closed_at_the_end_of_its_request_says_so():
    table = requests(*keep_alive(max_age=0))
    assert [row[-1] for row in table[1:4]] == [
        "C1 opened, closed at end",
        "C2 opened, closed at end",
        "C3 opened, closed at end",
    ]


def test_a_connection_closed_for_its_age_is_told_in_the_request_that_closed_it():
    run = Simulation()
    run.request("browser")
    client = run.client("browser")
    number = run.arrive(client, "/polls/", None)
    run.event(
        "db.close",
        client.thread,
        number,
        w=client.wrapper,
        c=client.connection,
        why="age",
        phase="start",
    )
    client.connection = None
    run.query(client, number)
    run.leave(client, number, "/polls/", 200, new=False)
    table = requests(scenario("", "browser"), run.trace())
    assert [row[-1] for row in table[1:]] == ["C1 opened", "C1 closed at start (age); C2 opened"]


def test_a_view_without_a_query_has_no_database_connection():
    run = Simulation()
    run.request("browser", query=False)
    assert requests(scenario("", "browser"), run.trace())[1][-1] == "—"


def test_an_http_connection_that_the_server_closes_says_so_in_its_last_request():
    run = Simulation()
    run.request("browser")
    run.request("browser", "/stream/", closes=True)
    run.request("browser")
    table = requests(scenario("", "browser"), run.trace())
    assert [row[4] for row in table[1:]] == ["H1 new", "H1 kept, closed by server", "H2 new"]


def test_a_request_without_a_response_shows_the_error():
    run = Simulation()
    number = run.arrive(run.client("browser"), "/polls/", None)
    run.event("request.error", request=number, h=None, error="ConnectionResetError")
    table = requests(scenario("", "browser"), run.trace())
    assert table[1][3:5] == ["none (ConnectionResetError)", "—"]


def test_processes_have_a_column_where_several_served():
    one, trace = new_clients(2)
    second = {event.thread for event in trace.events if event.request == 2 and event.thread}
    events = [event._replace(process=2) if event.thread in second else event for event in trace.events]
    started = Event(0, "process.start", 2, 0, None, 0, {"pid": 5, "ppid": 4, "python": "3.11"})
    table = requests(one, Trace((started, *events), trace.log))
    assert table[0][5] == "Process"
    assert [row[5:7] for row in table[1:]] == [["P1", "T1"], ["P2", "T2"]]


@pytest.mark.exhaustive
def test_requests_on_a_thread_of_their_own_each_show_the_first_and_the_last():
    table = requests(*new_clients(10_000))
    assert [row[0] for row in table] == [
        "#",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6–9997",
        "9998",
        "9999",
        "10000",
    ]
    assert table[6] == [
        "6–9997",
        "new client",
        "… 9,992 more like these …",
        "200",
        "H6 to H9997 new",
        "T6 to T9997",
        "C6 to C9997 opened, then abandoned",
    ]


def test_a_request_that_differs_is_not_left_out_with_the_others():
    run = Simulation()
    for number in range(1, 101):
        run.request(status=500 if number == 50 else 200)
    table = requests(scenario(""), run.trace())
    assert [row[0] for row in table if row[3] == "500"] == ["50"]


def test_a_table_of_many_kinds_of_requests_is_cut_and_says_so():
    run = Simulation()
    for number in range(200):
        run.request("browser", f"/polls/{number}/", status=404 if number == 100 else 200)
    table = requests(scenario("", "browser"), run.trace())
    assert len(table) == 1 + 40 + 1 + 12
    assert table[41][:4] == ["41–188", "browser", "… 148 more of several kinds …", "200, 404"]


def test_a_long_path_is_cut():
    run = Simulation()
    run.request("browser", "/" + "x" * 300)
    cell = requests(scenario("", "browser"), run.trace())[1][2]
    assert len(cell) == 100
    assert cell.endswith("…")


def test_requests_together_have_rows_in_the_order_of_the_sequence():
    table = requests(*at_once())
    assert [row[1] for row in table[1:]] == ["browser", "new client", "new client", "browser"]
    assert table[4][4:] == ["H1 kept", "T1", "C1 reused, then abandoned"]


def test_a_run_without_requests_has_no_table():
    assert evidence(scenario("wait 1s"), [Simulation().trace()], ["requests"]) == []


@pytest.mark.parametrize("alias", ["replica", "{0}"])
def test_a_connection_of_another_alias_names_it(alias):
    run = Simulation()
    client = run.client("browser")
    number = run.arrive(client, "/polls/", None)
    run.event("db.wrapper", client.thread, number, w=1, alias=alias)
    run.event("db.open", client.thread, number, w=1, c=1, alias=alias)
    run.leave(client, number, "/polls/", 200, new=True)
    table = requests(scenario("", "browser"), run.trace())
    assert table[1][-1] == f"C1 ({alias}) opened"


def _with_list(made: tuple[Scenario, Trace]) -> tuple[Scenario, list[Trace]]:
    return made[0], [made[1]]


def test_a_row_names_the_threads_that_its_request_started_with_what_they_left_open():
    assert requests(*started_threads())[1][-2:] == [
        "T1",
        "C1 opened in T2, then abandoned; C2 opened in T3, then abandoned; C3 opened in T4, then abandoned",
    ]


def test_a_row_does_not_depend_on_which_of_the_threads_was_faster():
    assert requests(*started_threads((2, 0, 1))) == requests(*started_threads())


def test_a_request_that_djangos_handler_never_saw_says_so():
    assert requests(*outside_of_django())[2][3:] == [
        "200",
        "H1 kept",
        "not handled by Django's handler",
        "unknown",
    ]
