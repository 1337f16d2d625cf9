"""The probe: the code of ours that runs inside the server's processes. It only emits events.

Standard library only, Python 3.6 and later, Django 1.11 and later. It is never imported by Sphinx's
process: ``attach/sitecustomize.py`` loads it into the server's interpreters under the name
``_djconn_probe``. Modules: ``channel`` (the file and the socket that lead to the lab), ``descriptors`` and
``logsize`` (what it is made of), ``forks`` (whether this is a forked child), ``recorder`` (events, serials,
the current request), ``imports`` (to be called when a module was imported), and what is watched: ``servers``,
``started``, ``greenlets``, ``handlers``, ``asgi``, ``databases``. ``collector`` runs Python's garbage collector
as the scenario says.

Rules, each held by a test: it opens no database connection, keeps no thread, wrapper or connection
alive, starts no thread, and, unless the scenario chooses when the garbage collector runs, changes nothing about
when a connection is closed.
"""

import os

from . import asgi, databases, garbage_collector, greenlets, handlers, servers, started
from .channel import Channel
from .import_hooks import Imports
from .recorder import Recorder


def start(address: str) -> None:
    """Connect to the lab's socket at ``address`` and watch this process from now on.

    Does nothing where no lab listens there: a process can outlive the lab that started its parent.
    """
    channel = Channel(address)
    if channel.fd < 0:
        return
    recorder = Recorder(channel)
    garbage_collector.control(recorder, os.environ.get("DJCONN_GARBAGE_COLLECTION", ""))
    imports = Imports()
    servers.watch(recorder, imports)
    started.watch(recorder, imports)
    greenlets.watch(recorder, imports)
    handlers.watch(recorder, imports)
    asgi.watch(recorder, imports)
    databases.watch(recorder, imports)
    imports.install()
