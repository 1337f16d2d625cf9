"""Views that do what a probe could stumble over."""

import _thread
import ctypes
import gc
import io
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

from asgiref.sync import sync_to_async
from backends import breakable
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from polls.models import Question
from spawned import set_up_and_query

LONGEST_WAIT = 30  # seconds
gate = threading.Event()


def query(alias="default"):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


def query_on(request, alias):
    """Make one query on the database ``alias``; the error's name where it fails."""
    try:
        return JsonResponse({"answer": query(alias)})
    except DatabaseError as error:
        return JsonResponse({"error": type(error).__name__})


def spoil(request, alias):
    """Make the open connections of ``alias`` unusable."""
    breakable.broken.add(alias)
    return HttpResponse("spoilt")


def break_connection(request, alias):
    """Make a query that fails, on a connection that will not be usable from then on."""
    breakable.broken.add(alias)
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
    except DatabaseError:
        return HttpResponse("broken")


def close_explicitly(request):
    """Query, close, query."""
    query()
    connection.close()
    return JsonResponse({"answer": query()})


def replace(request):
    """Take the connection away from under Django, then have it open another."""
    query()
    taken, connection.connection = connection.connection, None
    query()
    taken.close()
    return HttpResponse("replaced")


def hold(request):
    """Query, and wait for a request for ``release``."""
    query()
    gate.wait(LONGEST_WAIT)
    return HttpResponse("held")


def release(request):
    """Let those that are held go; hold those that come next."""
    gate.set()
    gate.clear()
    return HttpResponse("released")


def interpreter(request):
    """Tell what code of the server could notice of its interpreter."""
    handlers = {}
    for number in range(1, signal.NSIG):
        handler = signal.getsignal(number)
        handlers[number] = getattr(handler, "__qualname__", str(handler))
    return JsonResponse(
        {
            "path": [entry for entry in sys.path if entry != settings.FOLDER],
            "signals": handlers,
            "threads": [each.name for each in threading.enumerate()],
            "types": [type(each).__name__ for each in threading.enumerate()],
            "attributes": [name for name in vars(threading.current_thread()) if "asgiref" not in name],
            "collector": [gc.get_threshold(), gc.isenabled(), len(gc.callbacks)],
            "hooks": [str(sys.gettrace()), str(sys.getprofile()), sys.excepthook.__name__],
            "warnings": [str(each) for each in warnings.filters],
            "timeout": socket.getdefaulttimeout(),
            "switching": sys.getswitchinterval(),
            "exit handlers": __import__("atexit")._ncallbacks(),
            "stack": [frame.name for frame in traceback.extract_stack() if "probe" not in frame.filename],
        }
    )


def things(request):
    """Count what could be kept alive for too long, once what nobody keeps is collected."""
    kinds = (BaseDatabaseWrapper, HttpRequest, HttpResponseBase, socket.socket, threading.Thread)
    gc.collect()
    counts = Counter(type(each) for each in gc.get_objects())
    return JsonResponse({kind.__name__: counts[kind] for kind in counts if issubclass(kind, kinds)})


def headers(request):
    """Tell what of the probe's a request still carries."""
    return JsonResponse(
        {name: str(value) for name, value in request.META.items() if "REQUEST" in name and "DJCONN" in name}
    )


def leave(request):
    query()
    sys.exit("a view that leaves")


def client_within(request):
    """Visit another page of this site, as a test does, between two queries."""
    query()
    inner = Client().get("/on/ageless/")
    query("own-close")
    return JsonResponse({"inner": json.loads(inner.content.decode())})


def stream_of(request, size):
    """Send so many kilobytes, with a query before the first."""

    def kilobytes():
        yield f"{Question.objects.count()}\n"
        for _ in range(size):
            yield "fifteen letters\n" * 64

    return StreamingHttpResponse(kilobytes(), content_type="text/plain")


class Closing(io.BytesIO):
    """Makes a query when it is closed."""

    def close(self):
        if not self.closed:
            query("ageless")
        super().close()


def file(request):
    return FileResponse(Closing(b"a file of some bytes"), content_type="text/plain")


class NeverClosed(HttpResponse):
    latest = None

    def close(self):
        """Forget Django's own method."""


def never_closed(request):
    NeverClosed.latest = NeverClosed("ok")
    return NeverClosed.latest


def close_late(request):
    """Close what the request before has not closed; then query."""
    HttpResponse.close(NeverClosed.latest)
    return JsonResponse({"answer": query()})


def fork(request):
    """Let a forked child use the connection it has inherited, and open one of its own."""
    query()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            query()
            query("own-close")
            in_thread(query)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return JsonResponse({"child": child, "status": status})


def in_thread(function):
    thread = threading.Thread(target=function, name="named")
    thread.start()
    thread.join()


def thread(request):
    """Query in a thread of its own."""
    in_thread(query)
    return HttpResponse("ok")


def raw_thread(request):
    """Query in a thread that the module ``threading`` has not started."""
    done = threading.Event()

    def work():
        query("with-super")
        done.set()

    _thread.start_new_thread(work, ())
    done.wait(LONGEST_WAIT)
    return HttpResponse("ok")


def foreign_thread(request):
    """Query in a thread that Python has not started."""
    posix = ctypes.CDLL(None, use_errno=True)
    answers = []

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def work(_):
        answers.append(query("own-close"))

    handle = ctypes.c_ulong()
    assert posix.pthread_create(ctypes.byref(handle), None, work, None) == 0
    assert posix.pthread_join(handle, None) == 0
    return JsonResponse({"answers": answers, "active": threading.active_count()})


def executor(request):
    """Query in three threads of an executor that ends with the request."""
    barrier = threading.Barrier(3)

    def work(_):
        barrier.wait(LONGEST_WAIT)
        return query()

    with ThreadPoolExecutor(3) as pool:
        return JsonResponse({"answer": sum(pool.map(work, range(3)))})


shared_pool = ThreadPoolExecutor(1)
shared_threads = []


def shared_executor(request):
    """Query in the one thread of an executor that all requests share."""
    return JsonResponse({"answer": shared_pool.submit(query, request.GET["alias"]).result(LONGEST_WAIT)})


def thread_pool(request):
    """Query in the one thread of a pool of multiprocessing's, which the first such request starts."""
    if not shared_threads:
        shared_threads.append(ThreadPool(1))
    aliases = request.GET["alias"].split(",")
    answers = [shared_threads[0].apply(query, aliases[:1]), *shared_threads[0].map(query, aliases[1:])]
    return JsonResponse({"answer": sum(answers)})


def timer(request):
    """Query, a moment after the response, in a thread that goes on until it is released."""

    def work():
        query()
        gate.wait(LONGEST_WAIT)

    threading.Timer(0.1, work).start()
    return HttpResponse("ok")


def share(request):
    """Give the connection of this request to a thread that goes on until it is released."""
    query()
    shared = connection._wrapper if hasattr(connection, "_wrapper") else connections["default"]
    shared.inc_thread_sharing()
    used = threading.Event()

    def work():
        with shared.cursor() as cursor:
            cursor.execute("SELECT 1")
        used.set()
        gate.wait(LONGEST_WAIT)

    threading.Thread(target=work).start()
    used.wait(LONGEST_WAIT)
    return HttpResponse("ok")


def python(request):
    """Query in another Python."""
    code = "import django; django.setup(); from probed_views import query; query()"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=LONGEST_WAIT)
    return JsonResponse({"status": done.returncode})


def spawn(request):
    """Query in a process of multiprocessing's that begins anew."""
    process = multiprocessing.get_context("spawn").Process(target=set_up_and_query)
    process.start()
    process.join(LONGEST_WAIT)
    return JsonResponse({"status": process.exitcode})


async def asynchronous(request):
    """Query in a thread of the event loop's pool."""
    answer = await sync_to_async(query, thread_sensitive=False)()
    return JsonResponse({"answer": answer})
