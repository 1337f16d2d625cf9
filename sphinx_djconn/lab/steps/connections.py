"""HTTP connections that are observed. ``requests`` and ``urllib3`` open and close them as always."""

import functools
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import requests.adapters
import urllib3.connection
import urllib3.connectionpool

from sphinx_djconn.lab.events.collector import EventCollector

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Acknowledge packets at once. ``runserver`` sends headers and body separately. By Nagle's algorithm, the body
waits for the acknowledgement of the headers, which Linux otherwise delays by 40 ms."""


def do_nothing() -> None:
    """Do nothing."""


class ConnectionObserver:
    """Emits events for the connections of one client: opened, and closed by whom."""

    def __init__(self, collector: EventCollector, client: str, next_serial: Callable[[], int]) -> None:
        self._collector = collector
        self._client = client
        self._next_serial = next_serial
        self.closing = False
        """Whether the client is closing its connection, and not the server."""

        self.used_serial: int | None = None
        """The serial of the connection that the current request uses."""

        self.opened_new = False
        """Whether the current request has opened a connection."""

        self.open: _Connection | None = None
        self.on_sent: Callable[[], None] = do_nothing
        self.last_requests: dict[int, int] = {}
        """The number of the last request on each connection, by the serials of connections."""

        self.closed: list[tuple[int, int]] = []
        """Local ports and serials."""

    def on_open(self, connection: "_Connection") -> None:
        """Handle a new connection."""
        connection.serial = self._next_serial()
        connection.local_port = connection.sock.getsockname()[1]
        self.opened_new = True
        self.open = connection
        self._collector.emit(
            "http.open",
            h=connection.serial,
            client=self._client,
            port=connection.local_port,
        )

    def on_close(self, connection: "_Connection") -> None:
        """Handle the end of a connection."""
        self.open = None
        by = "client" if self.closing else "server"
        self._collector.emit("http.close", h=connection.serial, by=by)
        self.closed.append((connection.local_port, connection.serial))


class _Connection(urllib3.connection.HTTPConnection):
    serial = 0
    local_port = 0

    def __init__(self, *args: Any, observer: ConnectionObserver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._observer = observer

    def connect(self) -> None:
        super().connect()
        self._observer.on_open(self)

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        self._observer.used_serial = self.serial
        self._observer.on_sent()
        if _QUICKACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self) -> None:
        if self.sock is not None and self.serial:
            self._observer.on_close(self)
            self.serial = 0
        super().close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, *args: Any, observer: ConnectionObserver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ConnectionCls = functools.partial(  # type: ignore[assignment]
            _Connection, observer=observer
        )


class ObservedAdapter(requests.adapters.HTTPAdapter):
    """Makes a session open one observed connection at a time, and retry nothing."""

    def __init__(self, observer: ConnectionObserver) -> None:
        self._observer = observer
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of connections, as requests does."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": functools.partial(_Pool, observer=self._observer)}


class Serials:
    """Serial numbers for the HTTP connections of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> int:
        """Return the next number."""
        with self._lock:
            self._last += 1
            return self._last
