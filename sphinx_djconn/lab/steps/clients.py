"""Clients: each is a ``requests.Session`` whose TCP connections are observed, never managed.

That a server hangs up and that the session connects again is for the trace to show: nothing is retried
here, no redirect is followed, and no proxy of the building machine's environment is used.
"""

import functools
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import requests
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.connectionpool
from urllib3.util.connection import is_connection_dropped

from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.scenario.model import Request

HEADER: Final = "X-Djconn-Request"
"""Numbers a request for the probe, which takes it out before Django sees the request."""

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Acknowledge at once what comes. ``runserver`` sends headers and body apart, and by Nagle's algorithm the
second waits for the acknowledgement of the first, which Linux otherwise delays by 40 ms."""

_LARGEST_JSON: Final = 1 << 20
_DEEPEST_JSON: Final = 100
_TOO_DEEP: Final = f"it is nested more than {_DEEPEST_JSON} levels deep"
_CHUNK: Final = 1 << 16
_WITHOUT_BODY: Final = frozenset({204, 304})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def _nothing() -> None:
    """Do nothing."""


class _Observer:
    """What one client's connections tell: opened, used, closed, and by whom."""

    def __init__(self, feed: EventCollector, client: str, serials: Callable[[], int]) -> None:
        self._feed = feed
        self._client = client
        self._serials = serials
        self.hanging_up = False
        self.used: int | None = None
        self.new = False
        self.open: _Connection | None = None
        self.sent: Callable[[], None] = _nothing
        self.carried: dict[int, int] = {}
        self.closed_ports: list[tuple[int, int]] = []

    def opened(self, connection: "_Connection") -> None:
        connection.serial = self._serials()
        connection.local_port = connection.sock.getsockname()[1]
        self.new = True
        self.open = connection
        self._feed.emit(
            "http.open",
            h=connection.serial,
            client=self._client,
            port=connection.local_port,
        )

    def closed(self, connection: "_Connection") -> None:
        self.open = None
        by = "client" if self.hanging_up else "server"
        self._feed.emit("http.close", h=connection.serial, by=by)
        self.closed_ports.append((connection.local_port, connection.serial))


class _Connection(urllib3.connection.HTTPConnection):
    serial = 0
    local_port = 0

    def __init__(self, *args: Any, observer: _Observer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._observer = observer

    def connect(self) -> None:
        super().connect()
        self._observer.opened(self)

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        self._observer.used = self.serial
        self._observer.sent()
        if _QUICKACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self) -> None:
        if self.sock is not None and self.serial:
            self._observer.closed(self)
            self.serial = 0
        super().close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, *args: Any, observer: _Observer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ConnectionCls = functools.partial(  # type: ignore[assignment]
            _Connection, observer=observer
        )


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, observer: _Observer) -> None:
        self._observer = observer
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": functools.partial(_Pool, observer=self._observer)}


class Serials:
    """Serial numbers of HTTP connections, for all clients of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> int:
        """Return the next one."""
        with self._lock:
            self._last += 1
            return self._last


class _Received(NamedTuple):
    """A response: its status, the bytes of its body, what these say in JSON, and what shows where they end.

    ``unknown`` says why the JSON is not known, if it is not.
    """

    status: int
    size: int
    json: Any
    unknown: str
    close_delimited: bool


class Client:
    """One client: cookies of its own and one HTTP connection at a time."""

    def __init__(self, name: str, feed: EventCollector, serials: Serials) -> None:
        self.name = name
        self.error = ""
        """Why the last request had no whole response."""

        self._feed = feed
        self._observer = _Observer(feed, name, serials)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = "sphinx_djconn"
        self._session.mount("http://", _Adapter(self._observer))

    def send(
        self,
        number: int,
        request: Request,
        base_url: str,
        *,
        meet: bool = False,
        sent: Callable[[], None] = _nothing,
    ) -> int | None:
        """Send ``request`` and read its response to the end; return the status, ``None`` for none.

        Calls ``sent`` when the request is on its way.
        """
        self._observer.sent = sent
        self._feed.emit(
            "request.sent",
            number,
            client=self.name,
            method=request.method,
            path=request.path,
            label=request.label,
        )
        self._observer.used, self._observer.new = None, False
        try:
            received = self._exchange(number, request, base_url, meet=meet)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._note_carrier(number)
            self.error = _name(error)
            self._feed.emit(
                "request.error",
                number,
                h=self._observer.used,
                new=self._observer.new,
                error=self.error,
            )
            return None
        self._note_carrier(number)
        self._feed.emit(
            "response",
            number,
            h=self._observer.used,
            new=self._observer.new,
            status=received.status,
            size=received.size,
            json=received.json if request.label else None,
            **({"close_delimited": True} if received.close_delimited else {}),
            **({"unknown": [[[], received.unknown]]} if received.unknown and request.label else {}),
        )
        return received.status

    def _note_carrier(self, number: int) -> None:
        if self._observer.used is not None:
            self._observer.carried[self._observer.used] = number

    def _exchange(self, number: int, request: Request, base_url: str, *, meet: bool) -> "_Received":
        headers = {HEADER: f"{number} meet" if meet else str(number)}
        body: Any = None
        if request.data is not None and request.data.lstrip()[:1] in ("{", "["):
            headers["Content-Type"] = "application/json"
            body = request.data.encode()
        elif request.data is not None:
            body = parse_qsl(request.data, keep_blank_values=True)
        token = self._session.cookies.get("csrftoken")
        if token is not None and request.method not in _SAFE_METHODS:
            headers["X-CSRFToken"] = token
        asked = requests.Request(request.method, base_url + request.path, headers=headers, data=body)
        with self._session.send(
            self._session.prepare_request(asked),
            allow_redirects=False,
            stream=True,
            timeout=max(0.1, self._feed.deadline - time.monotonic()),
        ) as response:
            kept, size = bytearray(), 0
            for chunk in response.iter_content(_CHUNK):
                size += len(chunk)
                if time.monotonic() >= self._feed.deadline:  # a body without an end, or one that drips
                    raise TimeoutError
                if size <= _LARGEST_JSON:
                    kept += chunk
            value, unknown = _json(response, bytes(kept), size)
            delimited = _is_close_delimited(request.method, response)
            return _Received(response.status_code, size, value, unknown, delimited)

    def hang_up(self) -> None:
        """Close the connection, where one is open; the next request opens another."""
        self._observer.hanging_up = True
        try:
            self._session.close()
        finally:
            self._observer.hanging_up = False

    @property
    def open_port(self) -> int | None:
        """The local port of the connection, where one is open as far as the client has noticed."""
        return None if self._observer.open is None else self._observer.open.local_port

    def look(self) -> None:
        """Close a connection that the server has closed, as the next request would."""
        if self._observer.open is not None and is_connection_dropped(self._observer.open):
            self.notice_loss()

    def notice_loss(self) -> None:
        """Close what the server has closed: after a reload there is another server to connect to."""
        self._session.close()

    def closed_ports(self) -> list[tuple[int, int]]:
        """Return the local ports of the connections that were closed since the last call.

        With each comes the number of the last request that it has carried, 0 for none.
        """
        closed, self._observer.closed_ports = self._observer.closed_ports, []
        return [(port, self._observer.carried.pop(serial, 0)) for port, serial in closed]


def _is_close_delimited(method: str, response: requests.Response) -> bool:
    """Return whether only the end of the connection shows where the body ends (RFC 9112, section 6.3)."""
    if method == "HEAD" or response.status_code in _WITHOUT_BODY:
        return False
    # urllib3 knows what the headers say of a body that it reads.
    return not response.raw.chunked and "Content-Length" not in response.headers


def _json(response: requests.Response, body: bytes, size: int) -> tuple[Any, str]:
    """Return the JSON in a response, ``None`` where it has none; and why it is not known, where that is so."""
    if "json" not in response.headers.get("Content-Type", ""):
        return None, ""
    if size > _LARGEST_JSON:
        return None, f"it is in a body of {size:,} bytes, of which more than {_LARGEST_JSON:,} are not read"
    try:
        value = json.loads(body)
    except RecursionError:
        return None, _TOO_DEEP
    except ValueError as error:
        return None, "it has a number with more digits than can be read" if "digits" in str(error) else ""
    return (None, _TOO_DEEP) if _is_deeper(value, _DEEPEST_JSON) else (value, "")


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether ``value`` has lists and objects within each other to more than ``levels``."""
    inside = [value]
    for _ in range(levels + 1):
        inside = [each for each in inside if isinstance(each, (list, dict))]
        if not inside:
            return False
        inside = [item for each in inside for item in (each.values() if isinstance(each, dict) else each)]
    return True


def _name(error: BaseException) -> str:
    """Return the class of the innermost cause: messages name ports and addresses of memory.

    What a response has too much of to be read by Python's ``http.client`` is said.
    """
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, http.client.LineTooLong):
        return "a header line of more than 65,536 bytes, which is the most that can be read"
    if type(error) is http.client.HTTPException and "headers" in str(error):
        return "more than 100 headers, which is the most that can be read"
    return type(error).__name__
