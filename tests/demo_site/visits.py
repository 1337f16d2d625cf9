"""Visit the demo site's pages and print, as JSON, what each answered and which queries it took.

For a process of its own, where Django is set up, in the folder of a site whose
database is there and filled: the tests' process imports no settings of Django.
"""

import gc
import json
import sys
import threading
import time

from behaviours.worker import worker as the_worker
from django.db import connection, connections
from django.test import Client
from polls.models import Choice, Question


def client():
    return Client(enforce_csrf_checks=True, raise_request_exception=False, SERVER_NAME="localhost")


def visit(visitor, path, data=None, *, reconnect=True, **extra):
    """Return what there is to know of one visit: a POST where there is data, a GET otherwise."""
    if reconnect:
        connection.close()
    started = time.monotonic()
    if data is None:
        response = visitor.get(path, **extra)
    else:
        if "csrftoken" in visitor.cookies:
            extra["HTTP_X_CSRFTOKEN"] = visitor.cookies["csrftoken"].value
        response = visitor.post(path, data, **extra)
    before_body = len(connection.queries)
    body = response.getvalue()
    return {
        "status": response.status_code,
        "seconds": time.monotonic() - started,
        "headers": dict(response.items()),
        "text": body.decode(),
        "json": json.loads(body) if response["Content-Type"] == "application/json" else None,
        "queries": [query["sql"] for query in connection.queries],
        "queries_before_body": before_body,
        "connected": connection.connection is not None,
    }


def pages():
    """Visit, as a stranger, what a GET alone can show."""
    paths = [
        "/",
        "/polls/",
        "/polls/1/",
        "/polls/999/",
        "/plain/",
        "/query/",
        "/query-each/",
        "/broken-query/",
        "/caught-error/",
        "/stream/",
        "/slow/",
        "/slow/?seconds=0.01",
        "/slow/?seconds=11",
        "/slow/?seconds=-1",
        "/slow/?seconds=nan",
        "/slow/?seconds=soon",
        "/large/",
        "/redirect/",
        "/whoami/",
        "/session-parameter/",
        "/session-parameter/set/",
        "/collect/",
        "/worker/",
    ]
    return {path: visit(client(), path) for path in paths}


def posts():
    stranger = client()
    as_json = {"content_type": "application/json"}
    found = {
        "nothing": visit(stranger, "/polls/", {}),
        "form": visit(stranger, "/polls/", {"question_text": "Why?"}),
        "json": visit(stranger, "/polls/", '{"question_text": "How?"}', **as_json),
        "empty text": visit(stranger, "/polls/", {"question_text": ""}),
        "json list": visit(stranger, "/polls/", "[1]", **as_json),
        "no json": visit(stranger, "/polls/", "{", **as_json),
    }
    found["texts"] = list(Question.objects.filter(pk__gt=3).values_list("question_text", flat=True))
    return found


def votes():
    voter = client()
    found = {"before": Choice.objects.get(pk=1).votes}
    found["without token"] = visit(voter, "/polls/1/vote/", {"choice": 1})
    voter.get("/polls/1/")
    found["with token"] = visit(voter, "/polls/1/vote/", {"choice": 1})
    found["no choice"] = visit(voter, "/polls/1/vote/", {})
    found["other question's choice"] = visit(voter, "/polls/1/vote/", {"choice": 3})
    found["get"] = visit(voter, "/polls/1/vote/")
    found["after"] = Choice.objects.get(pk=1).votes
    return found


def session_parameter():
    found = {"set": visit(client(), "/session-parameter/set/")}
    found["same connection"] = visit(client(), "/session-parameter/", reconnect=False)
    found["new connection"] = visit(client(), "/session-parameter/")
    return found


def worker():
    """Have the worker's thread query, and close what is old there, with ages of none and of zero."""
    found = {"before": visit(client(), "/worker/")}
    age = connections.settings["default"]["CONN_MAX_AGE"]
    for name, seconds in (("no limit", None), ("zero", 0)):
        connections.settings["default"]["CONN_MAX_AGE"] = seconds
        found[f"{name}: query"] = visit(client(), "/worker/query/")
        found[f"{name}: after"] = visit(client(), "/worker/")
        found[f"{name}: close old"] = visit(client(), "/worker/close-old/")
        the_worker.call(connections.close_all)
    connections.settings["default"]["CONN_MAX_AGE"] = age
    return found


def ada():
    """Log in as the superuser of the fixture, and visit the admin and some other pages."""
    visitor = client()
    visitor.get("/admin/login/")
    found = {"login": visit(visitor, "/admin/login/", {"username": "ada", "password": "ada"})}
    paths = [
        "/admin/",
        "/admin/polls/question/",
        "/admin/polls/question/1/change/",
        "/admin/polls/question/add/",
        "/admin/polls/choice/",
        "/admin/polls/choice/1/change/",
        "/admin/auth/user/1/change/",
        "/admin/jsi18n/",
        "/polls/",
        "/plain/",
        "/whoami/",
        "/collect/",
    ]
    return {**found, **{path: visit(visitor, path) for path in paths}}


def collect():
    """Leave open connections behind in threads that have ended, and have them collected."""
    gc.collect()
    gc.disable()
    for _ in range(3):
        thread = threading.Thread(target=Question.objects.count)
        thread.start()
        thread.join()
    return visit(client(), "/collect/")


def main():
    parts = [pages, posts, votes, session_parameter, worker, ada, collect]
    json.dump({part.__name__: part() for part in parts}, sys.stdout)
