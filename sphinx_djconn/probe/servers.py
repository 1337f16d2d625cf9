"""Watch servers: which address they listen on, and which thread serves a connection; and the auto-reloader."""

import functools
import socket
from typing import Any, Iterator, List

from .import_hooks import ImportHooks
from .recorder import Recorder


def watch(recorder: Recorder, imports: ImportHooks) -> None:
    """Watch sockets now, and servers and the auto-reloader when they are imported."""
    _watch_listen(recorder)
    imports.after("socketserver", functools.partial(_watch_connection_threads, recorder))
    imports.after("django", lambda django: recorder.emit("django", version=django.__version__))
    imports.after("django.utils.autoreload", functools.partial(_watch_reloader, recorder))


def _watch_listen(recorder: Recorder) -> None:
    original = socket.socket.listen

    @functools.wraps(original)
    def listen(self: socket.socket, *args: int) -> None:
        original(self, *args)
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host, port = self.getsockname()[:2]
            recorder.emit("listening", host=host, port=port)

    socket.socket.listen = listen  # type: ignore[method-assign, assignment]


def _watch_connection_threads(recorder: Recorder, socketserver: Any) -> None:
    original = socketserver.ThreadingMixIn.process_request_thread

    @functools.wraps(original)
    def process_request_thread(self: Any, request: Any, client_address: Any) -> None:
        if isinstance(client_address, tuple):
            recorder.emit("http.thread", port=client_address[1])
        original(self, request, client_address)

    socketserver.ThreadingMixIn.process_request_thread = process_request_thread
    original_serve = socketserver.BaseServer.serve_forever

    @functools.wraps(original_serve)
    def serve_forever(self: Any, *args: Any, **kwargs: Any) -> None:
        recorder.emit("serving")
        original_serve(self, *args, **kwargs)

    socketserver.BaseServer.serve_forever = serve_forever


def _watch_reloader(recorder: Recorder, autoreload: Any) -> None:
    reloader = getattr(autoreload, "StatReloader", None)
    if reloader is None:  # before Django 2.2
        return
    original = reloader.snapshot_files
    seen: List[bool] = []

    @functools.wraps(original)
    def snapshot_files(self: Any) -> Iterator[Any]:
        yield from original(self)
        if not seen:
            seen.append(True)
            recorder.emit("reloader.watching")

    reloader.snapshot_files = snapshot_files
