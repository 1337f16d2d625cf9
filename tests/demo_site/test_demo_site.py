"""The demo site: what its pages answer, and with how many queries each."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

SOURCE = Path(__file__).parents[2] / "demo_site"
DEADLINE = 60  # seconds; for a machine that is busy with other things


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Copy the demo site, and follow its users: migrate, load the fixture."""
    folder = tmp_path_factory.mktemp("demo") / "site"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    run(folder, "manage.py", "migrate", "--verbosity=0")
    run(folder, "manage.py", "loaddata", "polls")
    return folder


@pytest.fixture(scope="module")
def visits(site):
    # Either of the first two sets Django up; both must be able to.
    return json.loads(run(site, "-c", "import mysite.asgi, mysite.wsgi, visits; visits.main()"))


@pytest.fixture(scope="module")
def runserver(site):
    """Start the development server on a port of the kernel's choice, and return its address."""
    command = [sys.executable, "-u", "manage.py", "runserver", "--noreload", "127.0.0.1:0"]
    with subprocess.Popen(
        command,
        cwd=site,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        alarm = threading.Timer(DEADLINE, process.kill)
        alarm.start()
        try:
            yield listening_address(process.stdout)
        finally:
            process.terminate()
            process.wait()
            alarm.cancel()


def listening_address(output):
    said = []
    for line in output:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    pytest.fail("runserver ended before it listened:\n" + "".join(said))


def run(folder, *arguments):
    """Run Python in the site's folder, with warnings as errors, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment():
    """Return the environment: no other project's settings, but ``visits`` to be found."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return {**others, "PYTHONPATH": str(Path(__file__).parent)}


def test_django_finds_nothing_to_complain_about(site):
    assert "no issues" in run(site, "manage.py", "check", "--fail-level=WARNING")


def test_the_migrations_are_complete(site):
    run(site, "manage.py", "makemigrations", "--check", "--dry-run")


def test_the_site_runs_by_itself(runserver):
    assert "What&#x27;s new?" in requests.get(f"{runserver}/polls/", timeout=DEADLINE).text


def test_a_streamed_response_ends_its_http_connection(runserver):
    response = requests.get(f"{runserver}/stream/", timeout=DEADLINE)
    assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("path", "status", "queries"),
    [
        ("/", 302, 0),
        ("/polls/", 200, 1),
        ("/polls/1/", 200, 2),
        ("/polls/999/", 404, 1),
        ("/plain/", 200, 0),
        ("/query/", 200, 1),
        ("/query-each/", 200, 1),
        ("/broken-query/", 500, 1),
        ("/caught-error/", 200, 1),
        ("/stream/", 200, 1),
        ("/slow/", 200, 1),
        ("/slow/?seconds=11", 400, 0),
        ("/slow/?seconds=-1", 400, 0),
        ("/slow/?seconds=nan", 400, 0),
        ("/slow/?seconds=soon", 400, 0),
        ("/large/", 200, 0),
        ("/redirect/", 302, 0),
        ("/whoami/", 200, 0),
        ("/session-parameter/", 200, 1),
        ("/session-parameter/set/", 200, 2),
        ("/collect/", 200, 0),
        ("/worker/", 200, 0),
    ],
)
def test_a_page_takes_exactly_its_queries(visits, path, status, queries):
    visit = visits["pages"][path]
    assert (visit["status"], len(visit["queries"])) == (status, queries), visit["queries"]


def test_a_page_without_a_query_opens_no_connection(visits):
    pages = visits["pages"].values()
    assert [page["connected"] for page in pages] == [bool(page["queries"]) for page in pages]


def test_the_root_leads_to_the_polls(visits):
    assert visits["pages"]["/"]["headers"]["Location"] == "/polls/"


def test_the_list_shows_the_questions_latest_first(visits):
    links = re.findall(r'href="/polls/(\d+)/"', visits["pages"]["/polls/"]["text"])
    assert links == ["3", "2", "1"]


def test_a_question_shows_its_choices_with_their_votes(visits):
    assert "Not much (2 votes)" in visits["pages"]["/polls/1/"]["text"]


def test_the_stream_makes_its_query_while_it_is_sent(visits):
    stream = visits["pages"]["/stream/"]
    assert (stream["queries_before_body"], len(stream["queries"])) == (0, 1)


def test_the_stream_does_not_tell_its_length(visits):
    assert "Content-Length" not in visits["pages"]["/stream/"]["headers"]
    assert len(visits["pages"]["/stream/"]["text"].splitlines()) == 3


def test_the_large_page_tells_its_length(visits):
    large = visits["pages"]["/large/"]
    assert large["headers"]["Content-Length"] == str(len(large["text"])) == str(2**20)


def test_the_slow_page_takes_the_time_it_is_told(visits):
    pages = visits["pages"]
    assert pages["/slow/"]["seconds"] >= 0.2
    assert 0.01 <= pages["/slow/?seconds=0.01"]["seconds"] < pages["/slow/"]["seconds"]


def test_a_caught_error_is_told(visits):
    assert "no_such_table" in visits["pages"]["/caught-error/"]["json"]["error"]


def test_whoami_names_process_and_thread_and_no_stranger(visits):
    who = visits["pages"]["/whoami/"]["json"]
    assert (who["thread"], who["user"]) == ("MainThread", None)
    assert isinstance(who["process"], int)
    assert isinstance(who["thread_ident"], int)


def test_whoami_looks_up_a_session_and_its_user(visits):
    who = visits["ada"]["/whoami/"]
    assert who["json"]["user"] == "ada"
    assert len(who["queries"]) == 2


@pytest.mark.parametrize("path", ["/polls/", "/plain/", "/collect/"])
def test_other_pages_do_not_look_up_a_session(visits, path):
    assert len(visits["ada"][path]["queries"]) == len(visits["pages"][path]["queries"])


@pytest.mark.parametrize(("post", "text"), [("nothing", "What's new?"), ("form", "Why?"), ("json", "How?")])
def test_a_posted_question_is_created_with_one_query(visits, post, text):
    created = visits["posts"][post]
    assert (created["status"], len(created["queries"])) == (201, 1)
    assert created["json"]["question_text"] == text
    assert created["headers"]["Location"] == f"/polls/{created['json']['id']}/"
    assert text in visits["posts"]["texts"]


@pytest.mark.parametrize("post", ["empty text", "json list", "no json"])
def test_what_is_no_question_is_refused_without_a_query(visits, post):
    refused = visits["posts"][post]
    assert (refused["status"], refused["queries"]) == (400, [])
    assert len(visits["posts"]["texts"]) == 3


def test_a_vote_counts_and_redirects(visits):
    votes = visits["votes"]
    assert (votes["with token"]["status"], len(votes["with token"]["queries"])) == (302, 3)
    assert votes["after"] == votes["before"] + 1


@pytest.mark.parametrize(
    ("vote", "status"),
    [("without token", 403), ("no choice", 200), ("other question's choice", 200), ("get", 405)],
)
def test_what_is_no_vote_does_not_redirect(visits, vote, status):
    assert visits["votes"][vote]["status"] == status


def test_a_session_parameter_lasts_as_long_as_its_connection(visits):
    parameter = {when: visit["json"]["value"] for when, visit in visits["session_parameter"].items()}
    assert parameter["same connection"] == parameter["set"]
    assert parameter["new connection"] != parameter["set"]


def test_a_login_replaces_no_password(visits):
    login = visits["ada"]["login"]
    assert login["status"] == 302
    assert not [query for query in login["queries"] if 'SET "password"' in query]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/polls/question/",
        "/admin/polls/question/1/change/",
        "/admin/polls/question/add/",
        "/admin/polls/choice/",
        "/admin/polls/choice/1/change/",
        "/admin/auth/user/1/change/",
        "/admin/jsi18n/",
    ],
)
def test_the_admin_answers_ada(visits, path):
    assert visits["ada"][path]["status"] == 200


def test_collect_closes_what_ended_threads_have_left_open(visits):
    assert visits["collect"]["json"] == {"open_before": 3, "open_after": 0}


def test_the_worker_has_no_connection_before_its_first_query(visits):
    assert visits["worker"]["before"]["json"] == {"open": False}


@pytest.mark.parametrize("age", ["no limit", "zero"])
def test_the_worker_keeps_its_connection_whatever_requests_do(visits, age):
    query = visits["worker"][f"{age}: query"]
    assert (query["json"], query["queries"]) == ({"questions": 6}, [])
    assert visits["worker"][f"{age}: after"]["json"] == {"open": True}


def test_the_worker_closes_a_connection_that_is_old_and_no_other(visits):
    left = {age: visits["worker"][f"{age}: close old"]["json"] for age in ("no limit", "zero")}
    assert left == {"no limit": {"open": True}, "zero": {"open": False}}
