"""Writes down what the site does, without the probe: views, and database connections opened and closed.

Each run has a file of its own, ``<folder>/<run>.jsonl``: a JSON object a line, with the time, the process, and
the kernel's number of the thread. The run and the number of a request are parameters of its URL.
"""

import contextlib
import itertools
import json
import os
import sys
import threading
import time
import weakref
from pathlib import Path

from django.db.backends.signals import connection_created

FOLDER = Path(os.environ.get("WITNESS_FOLDER", Path(__file__).parents[1] / "witnessed"))
current = threading.local()
serials = itertools.count(1)
greenlets = weakref.WeakKeyDictionary()
patched = set()


def record(kind, **data):
    """Append a line to the file of the run that this thread works for; do nothing outside of requests."""
    request = getattr(current, "request", None)
    if request is None:
        return
    run, number = request
    pid, _, task = str(Path("/proc/thread-self").readlink()).split("/")
    line = {"t": time.monotonic_ns(), "k": kind, "n": number, "pid": int(pid), "task": int(task), **data}
    descriptor = os.open(FOLDER / f"{run}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def working_for(request):
    """Record what this thread does as done for ``request``, a run and a number."""
    before = getattr(current, "request", None)
    current.request = request
    try:
        yield
    finally:
        if before is not None:
            current.request = before


def greenlet():
    """Return a serial of the greenlet that runs; None in a thread's own."""
    if "greenlet" not in sys.modules:
        return None
    found = sys.modules["greenlet"].getcurrent()
    return None if found.parent is None else greenlets.setdefault(found, next(serials))


def opened(connection, **_):
    """Record a connection that was opened, and watch the method that closes it."""
    serial = (os.getpid(), next(serials))
    connection.witness = serial
    connection.witness_request = getattr(current, "request", None)
    record("open", c=serial, alias=connection.alias)
    owner = type(connection)
    if owner not in patched:
        patched.add(owner)
        original = owner._close

        def close(self):
            if self.connection is not None and getattr(self, "witness_request", None) is not None:
                with working_for(self.witness_request):
                    record("close", c=self.witness)
            return original(self)

        owner._close = close


connection_created.connect(opened)
