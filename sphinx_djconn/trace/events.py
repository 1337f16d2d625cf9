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
``r``        the number of the request being handled, in the order of the sequence, or of the
             one that has started what does this: a thread, a task, a greenlet, a process, or
             a piece of work that was handed to a pool of threads
``o``        how much the server's log held when the event happened: bytes as the probe
             writes it, complete lines once the lab has read the log
``s``        the serial of the event within its process, from 1 on without a gap; the lab's
             own events have none
===========  ==========================================================================

Kinds, from the probe: ``process.start`` (``pid`` ``ppid`` ``python``), ``process.child`` (``pid``, of a
process that a request has started), ``django`` (``version``), ``thread.start`` (``name`` ``ident`` ``native``
``main``; ``foreign`` where Python does not know who started it), ``thread.end``, ``listening`` (``host``
``port``), ``serving``, ``http.thread`` (``port``: the client's), ``greenlet.start`` (``g`` ``ident``;
``foreign`` as for a thread), ``greenlet.end`` (``g``), ``request.begin`` (under ASGI ``task``: its serial
within the process), ``request.view`` and ``request.view.end`` (the view, in the thread that runs it),
``request.end``,
``databases`` (``aliases``: those of the settings, told before the first wrapper of a process),
``db.wrapper`` (``w`` ``alias`` ``vendor`` ``max_age`` ``health_checks``), ``db.open`` (``w`` ``c``
``alias``; where there is a server ``pid``, what it knows the session by, and ``inode``, that
of its socket; ``pooled`` where the connection comes from a pool), ``db.failed`` (``w`` ``error``),
``db.use`` (``w`` ``c``: the first use by a request that has not opened it, and by each thread that shares its
wrapper), ``db.health`` and
``db.usable`` (``w`` ``c`` ``usable``: by CONN_HEALTH_CHECKS, and because an error had occurred),
``db.close`` (``w`` ``c`` ``why`` ``phase``; ``pooled`` where the connection was given back to its pool),
``db.collected`` (``w`` ``c``; of no thread: the garbage collector runs in any), ``request.collected`` (the
garbage collection after a request has ended), ``reloader.watching``.

Every event of a greenlet that is more than its thread has its serial within the process as ``g``. A
thread that Python's ``threading`` did not start begins with the first thing it does that is watched.
``phase`` is that of the request: ``start`` (before middleware and view), ``view``, ``end`` (once its
response is closed), ``work`` (in what the request has started), or ``outside``. ``why`` is ``end of
request`` (CONN_MAX_AGE is 0), ``age``, ``error``, ``autocommit`` (it was not as in the settings), ``health
check``, ``explicit``, or ``dropped`` where Django did not close: something took the connection away from
its wrapper.

Kinds, from the lab: ``collector`` (``mode``: when the garbage collector can run, ``automatic`` by default;
``room``: how many sessions the application can have, if that is known),
``begin``, ``end``, ``step`` (``n`` ``text``), ``db.fault`` (``action``: what the database server has done),
``http.open`` (``h`` ``client`` ``port``), ``http.close`` (``h`` ``by``), ``request.sent`` (``client``
``method`` ``path`` ``label``), ``response`` (``h`` ``status`` ``size`` ``json``;
``close_delimited`` if only the end of the connection shows where it ends), ``request.error`` (``h``
``error``), ``process.exit`` (at the time when it was heard of), ``db.sessions`` (``sessions``: of the databases
of this run, as the server sees them at the end of a step, a list of pid and state),
``events.read`` (``processes``: how many events the lab has read of each, a list of serial and count),
``processes.seen`` (``processes``: what ``/proc`` shows of each at the end of a step, a list of objects; see
:mod:`sphinx_djconn.lab.steps.procfs`).

The socket between a process and the lab carries lines, too. An empty line is the bell: there is something
to be read. It rings if the first byte of the file ``SOCKET-waits`` is not 0, and sets that to 0 (see
:class:`sphinx_djconn.lab.events.reader.WakeFlag`). The first line, ``{"k": "file", "name": ..., "memory":
...}``, names the file of the process's events, in the folder of the socket, and says how many bytes at its
beginning are memory that the process fills, with zeros where nothing was written yet. Where the file cannot
be written, the events themselves follow. A request that has come to a meeting has a socket of its own and
says ``meet`` (``r`` ``at``).
"""

from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

Kind: TypeAlias = Literal[
    # from the probe
    "process.start",
    "process.child",
    "django",
    "thread.start",
    "thread.end",
    "listening",
    "serving",
    "http.thread",
    "greenlet.start",
    "greenlet.end",
    "request.begin",
    "request.view",
    "request.view.end",
    "request.end",
    "request.collected",
    "databases",
    "db.wrapper",
    "db.open",
    "db.failed",
    "db.use",
    "db.health",
    "db.usable",
    "db.close",
    "db.collected",
    "reloader.watching",
    # from the lab
    "begin",
    "end",
    "step",
    "collector",
    "db.fault",
    "http.open",
    "http.close",
    "request.sent",
    "response",
    "request.error",
    "process.exit",
    "events.read",
    "processes.seen",
    "db.sessions",
]
KINDS: Final = frozenset(get_args(Kind))
"""All kinds of events: what is none of them would be passed over without a word by those who read a trace."""


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
    serial: int = 0


_COMMON = frozenset({"t", "k", "p", "th", "r", "o", "s"})
_ALWAYS: Final[Mapping[str, Any]] = {"t": int, "k": str, "p": int}
_SOMETIMES: Final[Mapping[str, Any]] = {
    "th": int,
    "r": (int, NoneType),
    "o": int,
    "s": int,
    "g": int,
    "pid": (int, NoneType),
    "inode": int,
    "pooled": bool,
    "foreign": bool,
    "alias": str,
    "vendor": str,
    "task": int,
    "h": (int, NoneType),
    "new": bool,
    "status": (int, NoneType),
    "close_delimited": bool,
    "error": (str, NoneType),
    "unknown": list,
    "label": (str, NoneType),
    "phase": (str, NoneType),
    "room": int,
}
_FIELDS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    "process.start": {"pid": int, "ppid": int, "python": str},
    "process.child": {"pid": int},
    "django": {"version": str},
    "thread.start": {"name": str, "ident": int, "native": int, "main": (bool, int)},
    "listening": {"host": str, "port": int},
    "http.thread": {"port": int},
    "greenlet.start": {"g": int, "ident": int},
    "greenlet.end": {"g": int},
    "databases": {"aliases": list},
    "db.wrapper": {"w": int},
    "db.open": {"w": int, "c": int},
    "db.failed": {"w": int, "error": str},
    "db.use": {"w": int, "c": int},
    "db.health": {"c": (int, NoneType), "usable": int},
    "db.usable": {"c": (int, NoneType), "usable": int},
    "db.close": {"w": int, "c": int, "why": str, "phase": str},
    "db.collected": {"w": int, "c": int},
    "step": {"n": int, "text": str},
    "collector": {"mode": str},
    "db.fault": {"action": str},
    "http.open": {"h": int, "client": str, "port": int},
    "http.close": {"h": int, "by": str},
    "request.sent": {"client": str, "method": str, "path": str},
    "request.error": {"error": str},
    "events.read": {"processes": list},
    "processes.seen": {"processes": list},
    "db.sessions": {"sessions": list},
}
"""What is read of each kind; it may have more."""


def _is_text(item: Any) -> bool:
    return isinstance(item, str)


def _is_count_of_process(item: Any) -> bool:
    return isinstance(item, (list, tuple)) and [type(each) for each in item] == [int, int]


def _is_session(item: Any) -> bool:
    return isinstance(item, (list, tuple)) and [type(each) for each in item] == [int, str]


def _is_process_seen(item: Any) -> bool:
    if not isinstance(item, dict) or not {"p", "threads", "files"} <= item.keys():
        return False
    numbers = [item["p"], item["files"]]
    for name in ("threads", "connections"):
        if not isinstance(item.get(name, []), (list, tuple)):
            return False
        numbers += item.get(name, [])
    return all(type(number) is int for number in numbers)


_ITEMS: Final[Mapping[Any, tuple[str, Callable[[Any], bool]]]] = {
    "databases": ("aliases", _is_text),
    "events.read": ("processes", _is_count_of_process),
    "processes.seen": ("processes", _is_process_seen),
    "db.sessions": ("sessions", _is_session),
}
"""The field of a kind that is a list, and what each of its items has to be."""


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
        wire.get("s", 0),
    )


def check(wire: Any) -> None:
    """Raise :class:`TraceError` where ``wire`` is no event: of no kind, or with a field of another type."""
    if not isinstance(wire, dict):
        raise TraceError(f"not an event: {wire!r:.200}")
    kind = wire.get("k")
    fields = _FIELDS.get(kind, {}) if isinstance(kind, str) else {}  # type: ignore[call-overload]
    for name, types in (*_ALWAYS.items(), *fields.items()):
        if not isinstance(wire.get(name), types):
            raise TraceError(f"not an event, because of `{name}`: {wire!r:.200}")
    for name, types in _SOMETIMES.items():
        if name in wire and not isinstance(wire[name], types):
            raise TraceError(f"not an event, because of `{name}`: {wire!r:.200}")
    if kind not in KINDS:
        raise TraceError(f"not an event: `{kind}` is none of `sphinx_djconn.trace.events.KINDS`")
    if kind in _ITEMS:
        name, is_item = _ITEMS[kind]
        if not all(map(is_item, wire[name])):
            raise TraceError(f"not an event, because of an item of `{name}`: {wire!r:.200}")


def encode(event: Event) -> dict[str, Any]:
    """Return the wire object of ``event``."""
    wire: dict[str, Any] = {"t": event.at, "k": event.kind, "p": event.process}
    if event.thread:
        wire["th"] = event.thread
    if event.request is not None:
        wire["r"] = event.request
    if event.log:
        wire["o"] = event.log
    if event.serial:
        wire["s"] = event.serial
    wire.update(event.data)
    return wire


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return ``events`` in their one order: by time, and as they arrived where that is equal."""
    return tuple(sorted(events, key=lambda event: event.at))
