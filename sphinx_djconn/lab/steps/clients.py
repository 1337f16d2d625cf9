"""Clients: each is a ``requests.Session`` whose TCP connections are observed.

If a server closes a connection and the session opens another, the trace shows it. Nothing is retried, no
redirect is followed, and no proxy of the environment is used.
"""

import http.client
import json
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
from sphinx_djconn.lab.steps.connections import ConnectionObserver, ObservedAdapter, Serials, do_nothing
from sphinx_djconn.scenario.model import Request

HEADER: Final = "X-Djconn-Request"
"""The number of the request, for the probe. The probe removes this header before Django sees it."""

_MAX_JSON_SIZE: Final = 1 << 20
_MAX_JSON_DEPTH: Final = 100
_TOO_DEEP: Final = f"it is nested more than {_MAX_JSON_DEPTH} levels deep"
_CHUNK: Final = 1 << 16
_WITHOUT_BODY: Final = frozenset({204, 304})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class _Response(NamedTuple):
    """A response: its status, the size of its body in bytes, and the JSON in it.

    ``unknown`` says why the JSON is unknown, if it is. ``close_delimited`` is whether the end of the connection
    is the end of the body.
    """

    status: int
    size: int
    json: Any
    unknown: str
    close_delimited: bool


class Client:
    """One client, with its own cookies, and one HTTP connection at a time."""

    def __init__(self, name: str, collector: EventCollector, serials: Serials) -> None:
        self.name = name
        self.error = ""
        """Why the last request had no complete response."""

        self._collector = collector
        self._observer = ConnectionObserver(collector, name, serials)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = "sphinx_djconn"
        self._session.mount("http://", ObservedAdapter(self._observer))

    def send(
        self,
        number: int,
        request: Request,
        base_url: str,
        *,
        together: bool = False,
        on_sent: Callable[[], None] = do_nothing,
    ) -> int | None:
        """Send ``request`` and read its whole response. Return the status, ``None`` if there was no response.

        ``together`` makes the request wait at the barrier. ``on_sent`` is called when the request has been
        sent.
        """
        self._observer.on_sent = on_sent
        self._collector.emit(
            "request.sent",
            number,
            client=self.name,
            method=request.method,
            path=request.path,
            label=request.label,
        )
        self._observer.used_serial, self._observer.opened_new = None, False
        try:
            response = self._exchange(number, request, base_url, together=together)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._record_connection(number)
            self.error = _error_text(error)
            self._collector.emit(
                "request.error",
                number,
                h=self._observer.used_serial,
                new=self._observer.opened_new,
                error=self.error,
            )
            return None
        self._record_connection(number)
        self._collector.emit(
            "response",
            number,
            h=self._observer.used_serial,
            new=self._observer.opened_new,
            status=response.status,
            size=response.size,
            json=response.json if request.label else None,
            **({"close_delimited": True} if response.close_delimited else {}),
            **({"unknown": [[[], response.unknown]]} if response.unknown and request.label else {}),
        )
        return response.status

    def _record_connection(self, number: int) -> None:
        if self._observer.used_serial is not None:
            self._observer.last_requests[self._observer.used_serial] = number

    def _exchange(self, number: int, request: Request, base_url: str, *, together: bool) -> "_Response":
        headers = {HEADER: f"{number} meet" if together else str(number)}
        body: Any = None
        if request.data is not None and request.data.lstrip()[:1] in ("{", "["):
            headers["Content-Type"] = "application/json"
            body = request.data.encode()
        elif request.data is not None:
            body = parse_qsl(request.data, keep_blank_values=True)
        token = self._session.cookies.get("csrftoken")
        if token is not None and request.method not in _SAFE_METHODS:
            headers["X-CSRFToken"] = token
        unprepared = requests.Request(request.method, base_url + request.path, headers=headers, data=body)
        with self._session.send(
            self._session.prepare_request(unprepared),
            allow_redirects=False,
            stream=True,
            timeout=max(0.1, self._collector.deadline - time.monotonic()),
        ) as response:
            body_start, size = bytearray(), 0
            for chunk in response.iter_content(_CHUNK):
                size += len(chunk)
                if time.monotonic() >= self._collector.deadline:  # an endless or a slow body
                    raise TimeoutError
                if size <= _MAX_JSON_SIZE:
                    body_start += chunk
            value, unknown = _parse_json(response, bytes(body_start), size)
            close_delimited = _is_close_delimited(request.method, response)
            return _Response(response.status_code, size, value, unknown, close_delimited)

    def close(self) -> None:
        """Close the connection, if one is open. The next request opens another."""
        self._observer.closing = True
        try:
            self._session.close()
        finally:
            self._observer.closing = False

    @property
    def open_port(self) -> int | None:
        """The local port of the connection, if one is open as far as the client has noticed."""
        return None if self._observer.open is None else self._observer.open.local_port

    def discard_dropped_connection(self) -> None:
        """Close the connection if the server has closed it, as the next request would."""
        if self._observer.open is not None and is_connection_dropped(self._observer.open):
            self.discard_connection()

    def discard_connection(self) -> None:
        """Close the connection, which the server has closed."""
        self._session.close()

    def pop_closed_connections(self) -> list[tuple[int, int]]:
        """Return the connections that were closed since the last call.

        Each is a local port and the number of its last request, 0 if there was none.
        """
        closed, self._observer.closed = self._observer.closed, []
        return [(port, self._observer.last_requests.pop(serial, 0)) for port, serial in closed]


def _is_close_delimited(method: str, response: requests.Response) -> bool:
    """Return whether the end of the connection is the end of the body (RFC 9112, section 6.3)."""
    if method == "HEAD" or response.status_code in _WITHOUT_BODY:
        return False
    return not response.raw.chunked and "Content-Length" not in response.headers


def _parse_json(response: requests.Response, body: bytes, size: int) -> tuple[Any, str]:
    """Return the JSON in a response, ``None`` if there is none, and why it is unknown, or an empty string."""
    if "json" not in response.headers.get("Content-Type", ""):
        return None, ""
    if size > _MAX_JSON_SIZE:
        return None, f"it is in a body of {size:,} bytes, of which more than {_MAX_JSON_SIZE:,} are not read"
    try:
        value = json.loads(body)
    except RecursionError:
        return None, _TOO_DEEP
    except ValueError as error:
        return None, "it has a number with more digits than can be read" if "digits" in str(error) else ""
    return (None, _TOO_DEEP) if _is_deeper(value, _MAX_JSON_DEPTH) else (value, "")


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects in ``value`` are nested more than ``levels`` deep."""
    inside = [value]
    for _ in range(levels + 1):
        inside = [each for each in inside if isinstance(each, (list, dict))]
        if not inside:
            return False
        inside = [item for each in inside for item in (each.values() if isinstance(each, dict) else each)]
    return True


def _error_text(error: BaseException) -> str:
    """Return the class of the innermost cause. Its message may contain a port or an address of memory.

    If the response exceeds a limit of Python's ``http.client``, return which one.
    """
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, http.client.LineTooLong):
        return "a header line of more than 65,536 bytes, which is the most that can be read"
    if type(error) is http.client.HTTPException and "headers" in str(error):
        return "more than 100 headers, which is the most that can be read"
    return type(error).__name__
