"""Events as they cross the wire, and their one order.

The probe writes one JSON object a line, into a file for each process; the lab writes the clients' events
in the same shape. The fields that every event has are one letter long on the wire, the rest is the kind's
own:

===========  ==========================================================================
field        meaning
===========  ==========================================================================
``t``        nanoseconds of the system's monotonic clock, which all processes share
``k``        the kind, one of those below
``p``        the serial of the process, given by the lab; 0 is the lab itself
``th``       the serial of the thread within the process; 0 where there is none
``r``        the number of the request being handled, in the order of the sequence
``o``        how much the server's log held when the event happened: bytes as the probe
             writes it, complete lines once the lab has read the log
===========  ==========================================================================

Kinds, from the probe: ``process.start`` (``pid`` ``ppid`` ``python``), ``django`` (``version``),
``thread.start`` (``name`` ``ident`` ``native`` ``main``), ``thread.end``, ``listening`` (``host``
``port``), ``serving``, ``http.thread`` (``port``: the client's), ``greenlet.start`` (``g`` ``ident``),
``greenlet.end`` (``g``), ``request.begin`` (under ASGI ``task``: its serial within the process),
``request.view`` (under ASGI: the view begins, in this thread), ``request.end``,
``db.wrapper`` (``w`` ``alias`` ``vendor`` ``max_age`` ``health_checks``), ``db.open`` (``w`` ``c``
``alias``; where there is a server ``pid``, what it knows the session by; ``pooled`` where the connection
comes from a pool), ``db.failed`` (``w`` ``error``), ``db.use`` (``w`` ``c``), ``db.health`` and
``db.usable`` (``w`` ``c`` ``usable``: by CONN_HEALTH_CHECKS, and because an error had occurred),
``db.close`` (``w`` ``c`` ``why`` ``phase``; ``pooled`` where the connection was given back to its pool),
``db.collected`` (``w`` ``c``; of no thread: the garbage collector runs in any), ``reloader.watching``.

Every event of a greenlet that is more than its thread has its serial within the process as ``g``. A
thread that Python's ``threading`` did not start begins with the first thing it does that is watched.
``phase`` is that of the request: ``start`` (before middleware and view), ``view``, ``end`` (once its
response is closed), or ``outside``. ``why`` is ``end of request`` (CONN_MAX_AGE is 0), ``age``,
``error``, ``autocommit`` (it was not as in the settings), ``health check``, ``explicit``, or ``dropped``
where Django did not close: something took the connection away from its wrapper.

Kinds, from the lab: ``begin``, ``end``, ``step`` (``n`` ``text``), ``http.open`` (``h`` ``client``
``port``), ``http.close`` (``h`` ``by``), ``request.sent`` (``client`` ``method`` ``path`` ``label``),
``response`` (``h`` ``status`` ``size`` ``json``), ``request.error`` (``h`` ``error``),
``process.exit`` (at the time when it was heard of), ``db.sessions`` (``sessions``: of the databases of this
run, as the server sees them at the end of a step, a list of pid and state).

The socket between a process and the lab carries lines, too. An empty line is the bell: there is something
to be read. It rings where the first byte of the file ``SOCKET-waits`` is not 0, and sets that to 0 (see
:class:`sphinx_djconn.lab.sources.Bell`). The first line, ``{"k": "file", "name": ..., "memory": ...}``, names
the file of the process's events, in the folder of the socket, and says how many bytes at its beginning are
memory that the process fills, with zeros where nothing was written yet. Where the file cannot be written,
the events themselves follow. A request that has come to a meeting has a socket of its own and says ``meet``
(``r`` ``at``).
"""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, Final, NamedTuple


class TraceError(ValueError):
    """The events are not what the probe and the lab write: cut short, or of another format."""


class Event(NamedTuple):
    """One thing that happened. ``at`` is in nanoseconds of the monotonic clock."""

    at: int
    kind: str
    process: int
    thread: int
    request: int | None
    log: int
    data: Mapping[str, Any]


_COMMON = frozenset({"t", "k", "p", "th", "r", "o"})
_ALWAYS: Final[Mapping[str, Any]] = {"t": int, "k": str, "p": int}
_SOMETIMES: Final[Mapping[str, Any]] = {
    "th": int,
    "r": (int, NoneType),
    "o": int,
    "g": int,
    "pid": (int, NoneType),
    "alias": str,
    "task": int,
    "h": (int, NoneType),
    "status": (int, NoneType),
    "error": (str, NoneType),
    "unknown": list,
    "label": (str, NoneType),
    "phase": (str, NoneType),
}
_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "process.start": {"pid": int, "ppid": int, "python": str},
    "django": {"version": str},
    "thread.start": {"name": str, "ident": int, "main": (bool, int)},
    "listening": {"host": str, "port": int},
    "http.thread": {"port": int},
    "greenlet.start": {"g": int, "ident": int},
    "greenlet.end": {"g": int},
    "db.wrapper": {"w": int},
    "db.open": {"w": int, "c": int},
    "db.use": {"w": int, "c": int},
    "db.health": {"c": (int, NoneType), "usable": int},
    "db.usable": {"c": (int, NoneType), "usable": int},
    "db.close": {"w": int, "c": int, "why": str, "phase": str},
    "db.collected": {"c": int},
    "step": {"n": int, "text": str},
    "http.open": {"h": int, "client": str, "port": int},
    "http.close": {"h": int, "by": str},
    "request.sent": {"client": str, "method": str, "path": str},
    "request.error": {"error": str},
    "db.sessions": {"sessions": list},
}
"""What is read of each kind; it may have more."""


def decode(wire: Mapping[str, Any]) -> Event:
    """Return the event of one wire object; raise :class:`TraceError` where it is none."""
    check(wire)
    return Event(
        wire["t"],
        wire["k"],
        wire["p"],
        wire.get("th", 0),
        wire.get("r"),
        wire.get("o", 0),
        {key: value for key, value in wire.items() if key not in _COMMON},
    )


def check(wire: Any) -> None:
    """Raise :class:`TraceError` where ``wire`` is no event: a field is absent or of another type."""
    if not isinstance(wire, dict):
        raise TraceError(f"not an event: {wire!r:.200}")
    fields = _FIELDS.get(wire["k"], {}) if isinstance(wire.get("k"), str) else {}
    for name, types in (*_ALWAYS.items(), *fields.items()):
        if not isinstance(wire.get(name), types):
            raise TraceError(f"not an event, because of `{name}`: {wire!r:.200}")
    for name, types in _SOMETIMES.items():
        if name in wire and not isinstance(wire[name], types):
            raise TraceError(f"not an event, because of `{name}`: {wire!r:.200}")


def encode(event: Event) -> dict[str, Any]:
    """Return the wire object of ``event``."""
    wire: dict[str, Any] = {"t": event.at, "k": event.kind, "p": event.process}
    if event.thread:
        wire["th"] = event.thread
    if event.request is not None:
        wire["r"] = event.request
    if event.log:
        wire["o"] = event.log
    wire.update(event.data)
    return wire


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return ``events`` in their one order: by time, and as they arrived where that is equal."""
    return tuple(sorted(events, key=lambda event: event.at))
