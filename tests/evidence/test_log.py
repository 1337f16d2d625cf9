from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.reading import Trace
from tests.evidence.evidence_pages import lines
from tests.evidence.synthetic_traces import (
    MAIN,
    Simulation,
    at_once,
    keep_alive,
    new_clients,
    scenario,
    started_threads,
)

ACCESS = '[<time>] "GET /polls/ HTTP/1.1" 200 5412'


def log(one: Scenario, trace: Trace) -> list[str]:
    return lines(evidence(one, [trace], ["log"]))


def test_lines_of_the_server_stand_between_what_the_probe_saw():
    shown = log(*keep_alive())
    start = shown.index("# browser: GET /polls/ as first")
    assert shown[start + 1 : start + 7] == [
        "  H1 │ opened by browser",
        "  T1 │ thread started",
        "  T1 │ request 1 (first): GET /polls/ on H1",
        "  T1 │ DB wrapper created",
        "  T1 │ DB connection C1 opened",
        ACCESS,
    ]


def test_what_happened_before_the_first_step_comes_first():
    shown = log(*keep_alive())
    assert shown[:6] == [
        "Performing system checks...",
        "",
        "System check identified no issues (0 silenced).",
        "main │ DB wrapper created",
        "main │ DB connection S1 opened",
        "main │ DB connection S1 closed: close() was called",
    ]


def test_the_end_of_a_thread_names_the_connection_that_was_never_closed():
    shown = log(*new_clients(1))
    assert shown[-2:] == [
        "  H1 │ closed by new client",
        "  T1 │ thread ended; DB connection C1 was never closed",
    ]


def test_closing_at_the_end_of_a_request_is_told_with_its_reason():
    assert "  T1 │ DB connection C1 closed after the response: CONN_MAX_AGE is 0" in log(*keep_alive(max_age=0))


def test_what_the_garbage_collector_did_is_not_shown():
    one, trace = new_clients()
    without = [event for event in trace.events if event.kind != "db.collected"]
    assert len(without) < len(trace.events)
    assert log(one, trace) == log(one, Trace(tuple(without), trace.log, trace.settings))


def test_a_thread_that_ends_after_the_next_request_began_is_told_where_its_client_hung_up():
    one, trace = new_clients(2)
    events = list(trace.events)
    end = next(event for event in events if event.kind == "thread.end")
    events.remove(end)
    later = next(n for n, event in enumerate(events) if event.request == 2 and event.thread)
    events.insert(later + 2, end)
    assert log(one, Trace(tuple(events), trace.log)) == log(one, trace)


def test_a_thread_that_ends_after_the_next_step_began_is_told_in_the_step_that_ended_it():
    run = Simulation()
    run.step("browser: GET /polls/")
    run.request("browser")
    run.step("browser: close")
    run.hang_up(run.clients["browser"])
    run.step("wait 1s")
    one, trace = scenario("", "browser"), run.trace()
    events = list(trace.events)
    end = next(event for event in events if event.kind == "thread.end")
    events.remove(end)
    events.insert(len(events) - 1, end)
    assert log(one, Trace(tuple(events), trace.log)) == log(one, trace)


def test_a_client_that_notes_its_connection_after_the_server_changes_nothing():
    one, trace = new_clients(1)
    events = list(trace.events)
    opened = next(event for event in events if event.kind == "http.open")
    events.remove(opened)
    begun = next(n for n, event in enumerate(events) if event.kind == "request.begin")
    events.insert(begun + 1, opened)
    assert log(one, Trace(tuple(events), trace.log)) == log(one, trace)


def test_requests_together_are_told_as_they_alternated():
    shown = log(*at_once())
    begun = [line for line in shown if "request " in line]
    assert begun[:3] == [
        "  T1 │ request 1: GET /polls/ on H1",
        "  T2 │ request 2: GET /polls/ on H2",
        "  T3 │ request 3: GET /polls/ on H3",
    ]
    assert shown.index(begun[2]) < shown.index("  T1 │ DB connection C1 opened")


def test_serials_of_threads_and_connections_change_nothing():
    for make in (keep_alive, new_clients, at_once):
        assert log(*make(serial=lambda count: 1000 - count)) == log(*make())


def test_a_thread_that_no_request_used_is_not_told():
    run = Simulation()
    run.event("thread.start", 99, name="Thread-9 (idle)", ident=1, native=1, main=False)
    run.event("thread.end", 99)
    assert not any("thread" in line for line in log(scenario(""), run.trace()))


def test_what_was_logged_after_the_last_event_is_shown_too():
    run = Simulation()
    run.step("browser: GET /polls/")
    run.request("browser")
    run.log.append("a last word")
    assert log(scenario("", "browser"), run.trace())[-1] == "a last word"


def test_a_reload_tells_that_one_process_ended_and_another_started():
    run = Simulation()
    run.step("browser: GET /polls/")
    run.request("browser")
    run.step("reload")
    events = run.events
    events.append(events[-1]._replace(kind="process.exit", process=1, data={}))
    data = {"pid": 2, "ppid": 1, "python": "3.11"}
    events.append(events[-1]._replace(kind="process.start", process=2, data=data))
    shown = log(scenario("", "browser"), run.trace())
    start = shown.index("# reload")
    assert [line.strip() for line in shown[start + 1 :]] == [
        "P1 │ process ended; DB connection C1 was never closed",
        "P0 │ process started",
    ]


def test_a_connection_used_twice_in_a_request_is_told_once():
    run = Simulation()
    run.step("2 x browser: GET /polls/")
    run.request("browser")
    client = run.client("browser")
    number = run.arrive(client, "/polls/", None)
    run.query(client, number)
    run.query(client, number)
    run.leave(client, number, "/polls/", 200, new=False)
    shown = log(scenario("", "browser"), run.trace())
    assert sum("reused" in line for line in shown) == 1


def test_failures_of_the_database_are_told_by_their_class():
    run = Simulation()
    run.step("browser: GET /polls/")
    client = run.client("browser")
    number = run.arrive(client, "/polls/", None)
    run.event("db.failed", client.thread, number, w=1, error="OperationalError")
    assert log(scenario("", "browser"), run.trace())[-1] == (
        "  T1 │ DB connection could not be opened: OperationalError"
    )


def test_a_line_of_the_server_cannot_pass_for_one_of_the_probe():
    run = Simulation()
    run.log.append("T9 │ DB connection C9 opened")
    assert log(scenario(""), run.trace())[-1] == "T9 | DB connection C9 opened"


def test_a_long_log_shows_its_beginning_and_its_end():
    shown = log(*new_clients(1000))
    assert len(shown) < 210
    assert sum(" more lines …" in line for line in shown) == 1
    assert shown[-1] == "T1000 │ thread ended; DB connection C1000 was never closed"


def test_lines_before_the_first_step_belong_to_no_step():
    run = Simulation()
    run.event("db.wrapper", MAIN, w=2_000_000, alias="other")
    shown = log(scenario(""), run.trace())
    assert shown[-1] == "main │ DB wrapper created (other)"


def test_what_a_thread_did_that_a_request_started_stands_together_whichever_was_faster():
    shown = log(*started_threads((2, 0, 1)))
    start = shown.index("  T1 │ request 1: GET /executor/ on H1")
    assert shown[start + 1 : start + 6] == [
        "  T2 │ thread started by request 1",
        "  T2 │ DB wrapper created",
        "  T2 │ DB connection C1 opened",
        "  T2 │ thread, started by request 1, ended; DB connection C1 was never closed",
        "  T3 │ thread started by request 1",
    ]
    assert shown == log(*started_threads())
