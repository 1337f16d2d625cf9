"""Events: what they look like in the files that the probe and the lab write, and their order.

The probe writes one JSON object per line into a file for each process. The lab writes the clients' events in
the same format. Fields that every event has are one letter long, the others depend on the kind:

===========  ==========================================================================
field        meaning
===========  ==========================================================================
``t``        nanoseconds of the system's monotonic clock, which all processes share
``k``        the kind, one of those below
``p``        the serial of the process, given by the lab; 0 is the lab itself
``th``       the serial of the thread within the process; 0 if there is none
``r``        the number of the request, in the order of the sequence, that is being
             handled, or that started what does this: a thread, a task, a greenlet, a
             process, or a piece of work that was submitted to a pool of threads
``o``        the size of the server's log when the event happened: in bytes as the probe
             writes it, in complete lines once the lab has read the log
``s``        the serial of the event within its process, from 1 on without a gap; the lab's
             own events have none
===========  ==========================================================================

Kinds that the probe writes:

* ``process.start`` (``pid`` ``ppid`` ``python``); ``process.child`` (``pid`` of a process that a request
  started); ``django`` (``version``)
* ``thread.start`` (``name`` ``ident`` ``native`` ``main``; ``foreign`` if Python doesn't know who started it)
  and ``thread.end``. A thread that ``threading`` did not start begins with its first event.
* ``greenlet.start`` (``g`` ``ident``; ``foreign`` as for a thread) and ``greenlet.end`` (``g``). Every event
  in a greenlet that is not the main one of its thread has its serial within the process as ``g``.
* ``listening`` (``host`` ``port``), ``serving``, ``http.thread`` (the client's ``port``),
  ``reloader.watching``
* ``request.begin`` (under ASGI ``task``: its serial within the process) and ``request.end``; ``request.view``
  and ``request.view.end`` (in the thread that runs the view); ``request.collected`` (the garbage collection
  after a request)
* ``databases`` (the ``aliases`` in the settings, sent before the first wrapper of a process); ``db.wrapper``
  (``w`` ``alias`` ``vendor`` ``max_age`` ``health_checks``)
* ``db.open`` (``w`` ``c`` ``alias``; with a database server, ``pid``, which identifies the session, and
  ``inode``, that of its socket; ``pooled`` if the connection comes from a pool); ``db.failed`` (``w``
  ``error``)
* ``db.use`` (``w`` ``c``): the first use by a request that did not open the connection, and by each thread
  that shares its wrapper
* ``db.health`` and ``db.usable`` (``w`` ``c`` ``usable``): checks because of CONN_HEALTH_CHECKS, and after an
  error
* ``db.close`` (``w`` ``c`` ``why`` ``phase``; ``pooled`` if the connection was given back to its pool)
* ``db.collected`` (``w`` ``c``; without a thread: the garbage collector runs in any)

``phase`` is that of the request: ``start`` (before middleware and view), ``view``, ``end`` (once its response
is closed), ``work`` (in what the request started), or ``outside``. ``why`` is ``end of request`` (CONN_MAX_AGE
is 0), ``age``, ``error``, ``autocommit`` (it differed from the settings), ``health check``, ``explicit``, or
``dropped`` if Django did not close it: something took the connection away from its wrapper.

Kinds that the lab writes:

* ``begin``, ``end``, ``step`` (``n`` ``text``)
* ``collector`` (``mode``: when the garbage collector can run, ``automatic`` by default; ``room``: how many
  sessions the application can have, if that is limited)
* ``db.fault`` (``action``: what the database server did)
* ``http.open`` (``h`` ``client`` ``port``), ``http.close`` (``h`` ``by``)
* ``request.sent`` (``client`` ``method`` ``path`` ``label``); ``response`` (``h`` ``status`` ``size``
  ``json``; ``close_delimited`` if only the end of the connection shows where it ends); ``request.error``
  (``h`` ``error``)
* ``process.exit`` (at the time when the lab noticed it)
* ``db.sessions`` (``sessions``: those of the run's databases at the end of a step, a list of pid and state)
* ``events.read`` (``processes``: how many events of each the lab has read, a list of serial and count)
* ``processes.seen`` (``processes``: what ``/proc`` shows of each at the end of a step, a list of objects; see
  :mod:`sphinx_djconn.lab.steps.procfs`)

Each process also has a socket to the lab, which carries lines, too. The first line, ``{"k": "file", "name":
..., "lines": ..., "records": ...}``, names the file of the process's events, in the folder of the socket, and
says how many bytes at its beginning are mapped memory, which is zero until it is written. An empty line is a
wake-up: there are new events. It is sent if the first byte of the file ``SOCKET-waits`` is not 0, and sets that
byte to 0 (see :class:`sphinx_djconn.lab.events.reader.WakeFlag`). If the file cannot be written, the events
themselves follow. A request that waits at a barrier has a socket of its own, and sends ``meet`` (``r`` ``at``).
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
"""All kinds of events. Others are refused: readers would ignore them silently."""


class TraceError(ValueError):
    """The events are incomplete, or not in the format that the probe and the lab write."""


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
_REQUIRED: Final[Mapping[str, Any]] = {"t": int, "k": str, "p": int}
_OPTIONAL: Final[Mapping[str, Any]] = {
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
_REQUIRED_OF_KIND: Final[Mapping[Kind, Mapping[str, Any]]] = {
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
"""The fields of each kind that are read, with their types; it may have more."""


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
    """Return the event of one JSON object; raise :class:`TraceError` if it is not an event."""
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
    """Raise :class:`TraceError` unless ``wire`` is an event of a known kind, with fields of the right types."""
    if not isinstance(wire, dict):
        raise TraceError(f"not an event: {wire!r:.200}")
    kind = wire.get("k")
    fields = _REQUIRED_OF_KIND.get(kind, {}) if isinstance(kind, str) else {}  # type: ignore[call-overload]
    for name, types in (*_REQUIRED.items(), *fields.items()):
        if not isinstance(wire.get(name), types):
            raise TraceError(f"not an event, because of `{name}`: {wire!r:.200}")
    for name, types in _OPTIONAL.items():
        if name in wire and not isinstance(wire[name], types):
            raise TraceError(f"not an event, because of `{name}`: {wire!r:.200}")
    if kind not in KINDS:
        raise TraceError(f"not an event: `{kind}` is none of `sphinx_djconn.trace.events.KINDS`")
    if kind in _ITEMS:
        name, is_item = _ITEMS[kind]
        if not all(map(is_item, wire[name])):
            raise TraceError(f"not an event, because of an item of `{name}`: {wire!r:.200}")


def encode(event: Event) -> dict[str, Any]:
    """Return the JSON object of ``event``."""
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
    """Return ``events`` ordered by time; those of the same time stay in the given order."""
    return tuple(sorted(events, key=lambda event: event.at))
