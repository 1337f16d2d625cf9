"""Views that differ in how they use database connections."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import witness
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path


def view(function):
    """Record that a view begins and ends, and where."""

    @functools.wraps(function)
    def recorded(request):
        with witness.working_for(of(request)):
            where = {"greenlet": witness.greenlet(), "port": request.META.get("REMOTE_PORT")}
            witness.record("view", **where)
            try:
                return function(request)
            finally:
                witness.record("view.end")

    return recorded


def of(request):
    return request.GET["run"], int(request.GET["n"])


def use(alias="default", **more):
    """Make one query."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
    witness.record("use", c=connections[alias].witness, **more)


@view
def plain(request):
    return JsonResponse({})


@view
def query(request):
    use()
    return JsonResponse({})


@view
def both(request):
    use()
    use("archive")
    return JsonResponse({})


@view
def close(request):
    use()
    connection.close()
    return JsonResponse({})


@view
def broken(request):
    use()
    raise ValueError("broken on purpose")


@view
def stream(request):
    request_of_run = of(request)

    def lines():
        yield "first\n"
        with witness.working_for(request_of_run):
            use()
        yield "second\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


@view
def thread(request):
    """Make one query in a thread, which leaves its connection open."""
    run_apart(functools.partial(use, child=True), of(request))
    return JsonResponse({})


@view
def tidy_thread(request):
    """Make one query in a thread, which closes its connection."""

    def work():
        use(child=True)
        connection.close()

    run_apart(work, of(request))
    return JsonResponse({})


def run_apart(work, request_of_run):
    def run():
        with witness.working_for(request_of_run):
            work()

    started = threading.Thread(target=run)
    started.start()
    started.join()


@view
def executor(request):
    """Make two queries in an executor's threads, and one here."""
    request_of_run = of(request)

    def work(_):
        with witness.working_for(request_of_run):
            use(child=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    use()
    return JsonResponse({})


async def coroutine(request):
    """Make one query from a coroutine."""

    def work():
        with witness.working_for(of(request)):
            use()

    await sync_to_async(work)()
    return JsonResponse({})


VIEWS = (plain, query, both, close, broken, stream, thread, tidy_thread, executor, coroutine)
urlpatterns = [path(f"{each.__name__}/", each) for each in VIEWS]
