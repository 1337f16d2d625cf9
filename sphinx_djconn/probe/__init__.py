"""The probe: our code inside the server's processes. It watches Django and the server, and emits events.

Standard library only, Python 3.6 and later, Django 1.11 and later. Sphinx's process never imports it:
``attach/sitecustomize.py`` loads it into the server's interpreters under the name ``_djconn_probe``.

* ``recorder`` makes events, with serial numbers and the request that is being handled. ``channel`` writes
  them to the lab, with the help of ``fds``, ``log_position`` and ``forks``.
* ``import_hooks`` calls a function when a module has been imported. So ``servers``, ``started``, ``greenlets``,
  ``handlers``, ``asgi`` and ``databases`` each watch a part of the server: they wrap its methods.
* ``garbage_collector`` runs Python's garbage collector as the scenario says.
* ``inputs`` records which files and variables the process uses. It is loaded separately.

The probe opens no database connection, starts no thread, and keeps no thread, wrapper or connection alive.
Unless the scenario says when the garbage collector runs, it doesn't change when a connection is closed. There
is a test for each of these rules.
"""

import os

from . import asgi, databases, garbage_collector, greenlets, handlers, servers, started
from .channel import Channel
from .import_hooks import ImportHooks
from .recorder import Recorder


def start(address: str) -> None:
    """Connect to the lab's socket at ``address`` and watch this process from now on.

    Does nothing if no lab listens there: a process can outlive the lab that started its parent.
    """
    channel = Channel(address)
    if channel.fd < 0:
        return
    recorder = Recorder(channel)
    garbage_collector.control(recorder, os.environ.get("DJCONN_GARBAGE_COLLECTION", ""))
    imports = ImportHooks()
    servers.watch(recorder, imports)
    started.watch(recorder, imports)
    greenlets.watch(recorder, imports)
    handlers.watch(recorder, imports)
    asgi.watch(recorder, imports)
    databases.watch(recorder, imports)
    imports.install()
