"""One behaviour a view, under the shortest path that names it.

Each makes exactly the queries that its docstring tells. A query opens a database connection where
the thread has none, so a view without a query leaves no trace in the database.
"""

import gc
import os
import threading
import time

from django.db import DatabaseError, close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import (
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from polls.models import Question

from .worker import worker

LONGEST_SLEEP = 10  # seconds

# For each kind of database: what changes a parameter of the session, and what reads it.
SESSION_PARAMETER = {
    "sqlite": ("PRAGMA cache_size = 777", "PRAGMA cache_size"),
    "postgresql": ("SET TIME ZONE 'Asia/Tokyo'", "SHOW TIME ZONE"),
    "mysql": ("SET @demo_site = 777", "SELECT @demo_site"),
}


def plain(request):
    """Answer without a query."""
    return HttpResponse("No query was needed.\n", content_type="text/plain")


def query(request):
    """Count the questions: one query."""
    return JsonResponse({"questions": Question.objects.count()})


def query_each(request):
    """Make one query in each database of the settings."""
    for each in connections.all():
        with each.cursor() as cursor:
            cursor.execute("SELECT 1")
    return JsonResponse({"databases": list(connections)})


def broken_query(request):
    """Fail with one query that the database refuses: Django answers 500.

    Django's debug page names the user, too: two more queries for a client with a session.
    """
    select_from_missing_table()
    return HttpResponse("The query has not failed.\n", content_type="text/plain")


def caught_error(request):
    """Make the same failing query, and go on as if nothing had happened: 200."""
    try:
        select_from_missing_table()
    except DatabaseError as error:
        return JsonResponse({"error": str(error)})
    return JsonResponse({"error": None})


def select_from_missing_table():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


def stream(request):
    """Send rows as they come, with no Content-Length: one query, after the view has returned."""
    return StreamingHttpResponse(question_lines(), content_type="text/plain; charset=utf-8")


def question_lines():
    for question in Question.objects.order_by("pk").iterator():
        yield f"{question}\n"


def slow(request):
    """Sleep for ``?seconds=`` (0.2 unless told, 10 at most), then make one query."""
    try:
        seconds = float(request.GET.get("seconds", "0.2"))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= LONGEST_SLEEP:
        return HttpResponseBadRequest(f"seconds is a number from 0 to {LONGEST_SLEEP}.\n")
    time.sleep(seconds)
    return query(request)


def large(request):
    """Answer with 1 MiB, its length known in advance, without a query."""
    return HttpResponse("sixteen letters\n" * 65536, content_type="text/plain")


def redirect_to_polls(request):
    """Send the client to the polls, without a query."""
    return redirect("polls:index")


def whoami(request):
    """Tell who answers, and whom.

    No query for a stranger; two for a client with the cookie of a session, which is looked up with
    its user.
    """
    thread = threading.current_thread()
    return JsonResponse(
        {
            "process": os.getpid(),
            "thread": thread.name,
            "thread_ident": thread.ident,
            "user": request.user.get_username() or None,
        }
    )


def session_parameter(request):
    """Read a parameter of the database session: one query."""
    _, read = SESSION_PARAMETER[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(read)
        (value,) = cursor.fetchone()
    return JsonResponse({"value": value})


def set_session_parameter(request):
    """Change that parameter and read it back: two queries.

    The change lasts as long as the connection, so a later request sees it if it gets the same one.
    """
    change, _ = SESSION_PARAMETER[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(change)
    return session_parameter(request)


def ask_worker(request):
    """Tell whether the worker's thread has an open connection: no query."""
    return JsonResponse({"open": worker.call(has_open_connection)})


def query_in_worker(request):
    """Have the worker's thread make one query; this one makes none.

    A query that fails there is told, and changes nothing here: 200.
    """
    try:
        return JsonResponse({"questions": worker.call(Question.objects.count)})
    except DatabaseError as error:
        return JsonResponse({"error": str(error)})


def close_old_in_worker(request):
    """Have the worker's thread close its old connections: no query. Tell whether one is still open."""
    worker.call(close_old_connections)
    return ask_worker(request)


def has_open_connection():
    return connection.connection is not None


def collect(request):
    """Count the open connections in this process before and after a garbage collection: no query.

    What it has closed belonged to threads that have ended.
    """
    before = count_open_connections()
    gc.collect()
    return JsonResponse({"open_before": before, "open_after": count_open_connections()})


def count_open_connections():
    # Not isinstance(): it asks a lazy object, such as request.user, for the class of what it
    # stands for, which would be looked up in the database.
    things = gc.get_objects()
    wrappers = (thing for thing in things if issubclass(type(thing), BaseDatabaseWrapper))
    return sum(getattr(wrapper, "connection", None) is not None for wrapper in wrappers)
