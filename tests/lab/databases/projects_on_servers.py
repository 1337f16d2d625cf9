"""The project of the tests of database servers, and how a test runs it."""

from collections.abc import Callable

from sphinx_djconn.trace.reading import Trace

VIEWS = """
from django.db import connections


def query(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("queried")


def both(request):
    for alias in connections:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    return HttpResponse("both")


def where(request):
    return JsonResponse({alias: dict(each, TEST=0) for alias, each in connections.settings.items()})


def unknown(request):
    if not hasattr(connection, "kept"):
        type(connection).kept = connection.Database.connect(**connection.get_connection_params())
    return HttpResponse("kept")


def held(request):
    here = os.path.dirname(os.path.abspath(__file__))
    open(os.path.join(here, ".held"), "w").close()
    while not os.path.exists(os.path.join(here, ".seen")):
        time.sleep(0.01)
    return query(request)


def at_work(request):
    work = {
        "postgresql": "SELECT count(*) FROM generate_series(1, 6000000)",
        "mysql": "SELECT BENCHMARK(3000000, MD5(1))",
    }
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(work[connection.vendor])
    return JsonResponse({"began": began, "ended": time.monotonic()})


def tables(request):
    return JsonResponse({alias: connections[alias].introspection.table_names() for alias in connections})
"""

SETTINGS = """
INSTALLED_APPS = ["django.contrib.contenttypes"]
"""

Run = Callable[..., Trace]
