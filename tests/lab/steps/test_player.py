"""What each step of a sequence does to a real server, and what the facts say of it afterwards."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.errors import StepError
from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.lab.steps.idle import QUIET
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts, facts_of
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.unknown import Unknown
from tests.support.building import Docs

VIEWS = """
from django.http import HttpResponseRedirect, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.views.decorators.csrf import csrf_exempt, csrf_protect


def away(request):
    return HttpResponseRedirect("/")


def gone(request):
    return HttpResponse("gone", status=410)


def broken(request):
    raise RuntimeError("broken")


def count(request):
    number = int(request.COOKIES.get("visits", 0)) + 1
    response = JsonResponse({"visits": number})
    response.set_cookie("visits", number)
    return response


@csrf_exempt
def echo(request):
    return JsonResponse({
        "method": request.method,
        "type": request.content_type,
        "form": dict(request.POST.lists()),
        "body": request.body.decode(),
        "query": request.GET.dict(),
        "headers": sorted(name for name in request.headers if name.startswith("X-Djconn")),
        "host": request.get_host().partition(":")[0],
    })


@csrf_protect
def guarded(request):
    return JsonResponse({"token": bool(get_token(request))})


def database(request):
    settings = connection.settings_dict
    return JsonResponse({"age": settings["CONN_MAX_AGE"], "checks": settings["CONN_HEALTH_CHECKS"]})


def query(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("queried")


def large(request):
    return JsonResponse({"much": "x" * (1 << 20)})


def stream(request):
    return StreamingHttpResponse(["one", "two"])
"""


@pytest.fixture(scope="module")
def laboratory(shared_docs: Docs, databases: Path) -> Iterator[Laboratory]:
    settings = 'MIDDLEWARE.append("django.middleware.csrf.CsrfViewMiddleware")\nALLOWED_HOSTS = []\n'
    project = read_project(shared_docs.project(views=VIEWS, settings=settings), shared_docs.source)
    with closing(Laboratory(Profiles(projects={"default": project}), databases)) as laboratory:
        yield laboratory


Run = Callable[..., Facts]


@pytest.fixture
def traces(laboratory: Laboratory) -> Callable[..., tuple[Trace, ...]]:
    def run(sequence: str, **options: Any) -> tuple[Trace, ...]:
        return laboratory.run(Scenario(parse_sequence(sequence), **options)).runs

    return run


@pytest.fixture
def run(traces: Callable[..., tuple[Trace, ...]]) -> Run:
    def run(sequence: str, **options: Any) -> Facts:
        (trace,) = traces(sequence, **options)
        return facts_of(trace)

    return run


def test_a_status_that_is_expected_lets_the_run_go_on(run: Run) -> None:
    figures = run(
        "browser: GET /gone -> 410\nbrowser: GET /broken -> 500\nbrowser: GET /nowhere -> 404"
    ).figures
    assert figures["statuses"] == [410, 500, 404]


def test_any_status_will_do_where_none_is_named(run: Run) -> None:
    assert run("browser: GET /broken").figures["statuses"] == [500]


def test_a_status_that_differs_ends_the_run_at_its_line(run: Run) -> None:
    with pytest.raises(StepError, match="`GET /gone` was expected to answer 200 and answered 410") as error:
        run("# a comment\nbrowser: GET /\n\n3 x browser: GET /gone -> 200")
    assert error.value.line == 3


def test_a_redirect_is_not_followed(run: Run) -> None:
    figures = run("browser: GET /away -> 302 as away").figures
    assert (figures["requests"], figures["away.status"]) == (1, 302)


def test_a_label_names_its_request(run: Run) -> None:
    figures = run("browser: GET /\nbrowser: GET /gone as second\nnew client: GET /count as third").figures
    assert figures["second.status"] == 410
    assert figures["third.json"] == {"visits": 1}


def test_cookies_are_kept_by_a_named_client_and_by_no_other(run: Run) -> None:
    figures = run(
        "2 x browser: GET /count\nbrowser: GET /count as mine\nother: GET /count as other\n"
        "new client: GET /count\nnew client: GET /count as new\nbrowser: close\nbrowser: GET /count as later"
    ).figures
    assert figures["mine.json"] == {"visits": 3}
    assert figures["other.json"] == {"visits": 1}
    assert figures["new.json"] == {"visits": 1}
    assert figures["later.json"] == {"visits": 4}


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("name=ada&age=36", {"name": ["ada"], "age": ["36"]}),
        ("name=ada&name=grace&empty=", {"name": ["ada", "grace"], "empty": [""]}),
        ("name=ada%20lovelace&more=a+b%26c", {"name": ["ada lovelace"], "more": ["a b&c"]}),
    ],
)
def test_a_form_is_sent_as_a_browser_does(run: Run, written: str, form: dict[str, list[str]]) -> None:
    echo = run(f"browser: POST /echo with {written} -> 200 as sent").figures["sent.json"]
    assert echo["form"] == form
    assert echo["type"] == "application/x-www-form-urlencoded"


def test_json_is_sent_as_it_is_written(run: Run) -> None:
    echo = run('browser: PUT /echo with {"name": "ada", "ages": [1, 36]} -> 200 as sent').figures["sent.json"]
    assert echo["body"] == '{"name": "ada", "ages": [1, 36]}'
    assert (echo["type"], echo["method"]) == ("application/json", "PUT")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_each_method_is_sent(run: Run, method: str) -> None:
    echo = run(f"browser: {method} /echo?a=1&b=%20 as sent").figures["sent.json"]
    assert (echo["method"], echo["query"]) == (method, {"a": "1", "b": " "})


def test_head_has_no_body(run: Run) -> None:
    figures = run("browser: HEAD /echo -> 200 as sent\nbrowser: GET / -> 200 as after").figures
    assert figures["sent.json"] is None
    assert figures["sent.http_connection"] == figures["after.http_connection"]


def test_the_project_sees_nothing_of_the_lab_in_a_request(run: Run) -> None:
    echo = run("browser: GET /echo as sent").figures["sent.json"]
    assert echo["headers"] == []
    assert echo["host"] == "127.0.0.1"


def test_a_client_that_has_a_token_sends_it_with_what_is_guarded(run: Run) -> None:
    figures = run(
        "browser: GET /guarded -> 200\nbrowser: POST /guarded with a=1 -> 200\n"
        "new client: POST /guarded with a=1 -> 403"
    ).figures
    assert figures["statuses"] == [200, 200, 403]


def test_a_client_that_closes_opens_a_connection_for_its_next_request(run: Run) -> None:
    figures = run(
        "browser: GET / as a\nbrowser: GET / as b\nbrowser: close\nbrowser: GET / as c", conn_max_age=None
    ).figures
    assert figures["a.http_connection"] == figures["b.http_connection"] != figures["c.http_connection"]
    assert figures["a.thread"] == figures["b.thread"] != figures["c.thread"]
    assert figures["http.connections"] == 2


def test_that_the_server_hangs_up_is_no_error(run: Run) -> None:
    figures = run("browser: GET /stream as a\nbrowser: GET / as b").figures
    assert figures["errors"] == 0
    assert figures["a.http_connection"] != figures["b.http_connection"]


def test_each_new_client_has_a_connection_of_its_own(run: Run) -> None:
    assert run("5 x new client: GET /").figures["http.connections"] == 5
    assert run("5 x browser: GET /").figures["http.connections"] == 1


@pytest.mark.parametrize(("written", "seconds"), [("wait 0.4s", 0.4), ("wait 300ms", 0.3)])
def test_a_pause_lasts_as_long_as_it_says(
    traces: Callable[..., tuple[Trace, ...]], written: str, seconds: float
) -> None:
    (trace,) = traces(f"browser: GET / as a\n{written}\nbrowser: GET / as b")
    first, second = trace.entities.requests.values()
    assert first.ended is not None
    assert second.begun is not None
    assert seconds <= (second.begun - first.ended) / 1e9 < seconds + 2


def test_requests_that_are_sent_together_overlap(run: Run) -> None:
    facts = run("together:\n    browser: GET / as a\n    new client: GET / as b\n    other: GET / as c")
    assert facts.overlaps == {frozenset(pair) for pair in (("a", "b"), ("b", "c"), ("a", "c"))}
    assert facts.figures["threads"] == 3


def test_requests_one_after_another_do_not_overlap(run: Run) -> None:
    assert run("browser: GET / as a\nnew client: GET / as b").overlaps == frozenset()


def test_many_requests_that_are_sent_together_all_overlap(run: Run) -> None:
    names = [f"r{number}" for number in range(16)]
    facts = run("together:\n" + "\n".join(f"    new client: GET /query as {name}" for name in names))
    assert len(facts.overlaps) == 16 * 15 / 2
    assert facts.figures["threads"] == facts.figures["db.peak"] == 16


@pytest.mark.exhaustive
def test_requests_are_together_though_the_lab_is_slow_to_hear_of_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = EventCollector._accept

    def slowly(collector: EventCollector) -> None:
        time.sleep(1.5 * QUIET)
        accept(collector)

    monkeypatch.setattr(EventCollector, "_accept", slowly)
    assert run("together:\n    4 x new client: GET /query").figures["db.peak"] == 4


@pytest.mark.exhaustive
def test_requests_together_are_served_in_turn_if_views_run_in_the_event_loop(run: Run) -> None:
    """A request that waits for the others keeps the loop from sending the response before."""
    facts = run(
        """
        together:
            one: GET /
            new client: GET /
            new client: GET /
        two: GET /
        together:
            one: GET /
            three: GET /
            new client: GET /
            new client: GET /
        """,
        server="gunicorn-tornado",
    )
    assert facts.figures["responses"] == 8


def test_where_the_server_takes_one_at_a_time_requests_together_are_served_in_turn(run: Run) -> None:
    names = [f"r{number}" for number in range(12)]
    facts = run(
        "together:\n" + "\n".join(f"    new client: GET / as {name}" for name in names),
        server="runserver-nothreading",
    )
    assert facts.overlaps == frozenset()
    assert facts.figures["responses"] == 12
    assert facts.figures["threads"] == 1


def test_a_named_client_may_send_together_with_others_and_go_on(run: Run) -> None:
    figures = run(
        "browser: GET /count\ntogether:\n    browser: GET /count as a\n    2 x new client: GET /count\n"
        "browser: GET /count as b"
    ).figures
    assert figures["b.json"] == {"visits": 3}
    assert figures["a.http_connection"] == figures["b.http_connection"]


def test_a_reload_starts_the_server_s_process_anew(run: Run) -> None:
    figures = run(
        "browser: GET /query as a\nreload\nbrowser: GET /query as b\nbrowser: GET /query as c",
        server="runserver-reload",
        conn_max_age=None,
    ).figures
    assert figures["a.process"] != figures["b.process"] == figures["c.process"]
    assert figures["a.http_connection"] != figures["b.http_connection"]
    assert (figures["processes"], figures["db.dropped"], figures["db.open"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, {"age": 0, "checks": False}),
        ({"conn_max_age": None}, {"age": None, "checks": False}),
        ({"conn_max_age": 7}, {"age": 7, "checks": False}),
        ({"conn_max_age": 0.5, "conn_health_checks": True}, {"age": 0.5, "checks": True}),
    ],
)
def test_settings_of_the_scenario_reach_django(run: Run, options: dict[str, Any], shown: object) -> None:
    assert run("browser: GET /database as shown", **options).figures["shown.json"] == shown


def test_each_run_begins_anew(traces: Callable[..., tuple[Trace, ...]]) -> None:
    runs = traces("browser: GET /count as only", runs=3)
    assert [facts_of(run).figures["only.json"] for run in runs] == [{"visits": 1}] * 3


def test_json_that_is_very_large_is_no_figure(run: Run) -> None:
    figures = run("browser: GET /large -> 200 as large\nbrowser: GET /count as small").figures
    assert isinstance(figures["large.json"], Unknown)
    assert figures["small.json"] == {"visits": 1}


def test_no_proxy_of_the_building_machine_is_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert run("browser: GET /").figures["statuses"] == [200]


def test_events_stand_between_the_lines_of_the_log_where_they_happened(docs: Docs, databases: Path) -> None:
    views = """
    def talk(request):
        print("before", flush=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        print("between", flush=True)
        connection.close()
        print("after", flush=True)
        return HttpResponse("talked")
    """
    project = read_project(docs.project(views=views), docs.source)
    with closing(Laboratory(Profiles(projects={"default": project}), databases)) as laboratory:
        sequence = parse_sequence("browser: GET /talk\nbrowser: GET /talk")
        (trace,) = laboratory.run(Scenario(sequence, conn_max_age=None)).runs
    for number in (1, 2):
        at = {
            event.kind: event.log
            for event in trace.events
            if event.request == number and event.kind.startswith(("db.", "request."))
        }
        starts = [line for line, text in enumerate(trace.log) if text == "before"]
        before = starts[number - 1]
        assert trace.log[before : before + 3] == ("before", "between", "after")
        assert at["request.begin"] <= before
        assert (at["db.open"], at["db.close"]) == (before + 1, before + 2)
        assert at["request.end"] >= before + 3
