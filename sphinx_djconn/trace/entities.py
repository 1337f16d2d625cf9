"""The entities of a run: processes, threads, greenlets, tasks, connections of both kinds, requests."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

Key: TypeAlias = tuple[int, int]
"""The serial of a process, and a serial within it."""


@dataclass(slots=True)
class Process:
    """A process of the server: P1, P2, … if it served requests or a request started it, else ``P0``.

    ``started_by`` is the number of the request that started it, ``None`` if the server did. ``foreign`` tells
    that who started it isn't known.
    """

    serial: int
    name: str = "P0"
    pid: int = 0
    parent_pid: int = 0
    python: str = ""
    django: str = ""
    ended: bool = False
    ended_at: int | None = None
    started_by: int | None = None
    foreign: bool = False


@dataclass(slots=True)
class Thread:
    """A thread. ``name`` is T1, T2, … if it served requests, else ``main`` or what Python calls it.

    A thread that a request started, and that has used a database, has such a name too. ``started_by`` is
    the number of that request, ``None`` if the server started it. ``foreign`` tells that who started it isn't
    known.
    """

    key: Key
    name: str = "?"
    process: str = "P0"
    ident: int = 0
    main: bool = False
    ended: bool = False
    started_by: int | None = None
    foreign: bool = False


@dataclass(slots=True)
class Greenlet:
    """A greenlet of a thread: G1, G2, … where it served requests. ``ident`` is what it is to ``threading``.

    ``started_by`` and ``foreign`` are as those of a thread.
    """

    key: Key
    name: str = "greenlet"
    ident: int = 0
    ended: bool = False
    started_by: int | None = None
    foreign: bool = False


@dataclass(slots=True)
class Task:
    """A task of an event loop that was given requests: A1, A2, …."""

    key: Key
    name: str = "?"


@dataclass(slots=True)
class HttpConnection:
    """An HTTP connection as the client sees it. ``closed_by`` is ``client``, ``server`` or ``None``."""

    serial: int
    name: str = "?"
    client: str = ""
    port: int = 0
    closed_by: str | None = None


@dataclass(slots=True)
class DatabaseConnection:
    """A database connection: C1, C2, … where a request opened or used it, else S1, S2, ….

    ``opened_in`` and ``closed_in`` are numbers of requests, ``None`` outside of any. ``closed_at`` is when
    Django closed it, in nanoseconds. ``why`` tells why Django closed it and is ``None`` where Django did not.
    ``thread`` is the thread whose ``django.db.connections`` holds it, or ``greenlet`` where that has its own;
    ``users`` are all threads and greenlets that have used it, more than one if they share its wrapper.
    ``abandoned`` tells that all of them have ended, ``dropped`` that its process has, or that the connection
    was taken away from its wrapper.

    ``pid`` is what the database server knows its session by, ``None`` where there is no server. One that is
    ``pooled`` was taken from a pool, perhaps several times, and ``returned`` tells that it is there again.
    ``ended`` tells that at the end the server had no session of it any more, though Django had not closed
    it; ``lost``, that its thread or greenlet had ended, too. ``opened_at`` is where and when it was opened.
    """

    key: Key
    thread: Key
    greenlet: Key | None = None
    alias: str = "default"
    name: str = "?"
    opened_in: int | None = None
    closed_in: int | None = None
    closed_at: int | None = None
    why: str | None = None
    phase: str | None = None
    abandoned: bool = False
    dropped: bool = False
    pid: int | None = None
    pooled: bool = False
    returned: bool = False
    returned_in: list[int | None] = field(default_factory=list)
    ended: bool = False
    lost: bool = False
    users: set["Owner"] = field(default_factory=set)
    opened_at: "Place | None" = None

    @property
    def open(self) -> bool:
        """Whether a thread that is alive can still use it, as far as Django knows."""
        discarded = self.returned and self.ended  # its pool has noticed
        return self.why is None and not (self.abandoned or self.dropped or self.lost or discarded)


Owner: TypeAlias = tuple[Key, Key | None]
"""A thread, and the greenlet of it where it has more than one."""


class Place(NamedTuple):
    """Where and when something happened: the time, and the thread and greenlet that did it."""

    at: int
    thread: Key
    greenlet: Key | None


class Deed(NamedTuple):
    """Something that was done with a database: ``wrapper``, ``failed``, ``health`` or ``returned``.

    ``request`` is the number of the request that did it, or for which it was done.
    """

    kind: str
    alias: str
    request: int | None
    place: Place


class Session(NamedTuple):
    """A session as the database server sees it; ``connection`` is ``None`` where no wrapper has had it."""

    connection: DatabaseConnection | None
    state: str


@dataclass(slots=True)
class RequestEntity:
    """A request: what the client saw of it, and what the probe saw of it inside the server.

    ``json`` is the body of the response where that is JSON, with :class:`Unknown` in place of what was masked;
    ``body`` is the same as readers see it.

    ``begun`` and ``ended`` are nanoseconds of the monotonic clock, ``None`` where Django never saw the
    request; ``ended`` is ``None``, too, if nobody saw its end, and ``ended_in`` is the thread that saw it.
    ``view_begun`` and ``view_ended`` are those of its view, and ``answered`` is when the client had the
    response. A response is ``close_delimited`` if only the end of its connection shows where it ends.
    ``thread`` is the one that handled it, ``greenlet`` the part of it that did, and ``task`` is
    what an event loop gave the request to. Such a request has the thread that ran its view, and none if no view
    was run; ``viewed`` tells that one was, ``in_loop`` that it ran in the loop's own thread.
    ``connections`` are the database connections that it used, or what it started used for it, in that order,
    with ``opened`` or ``reused``.
    """

    number: int
    client: str = ""
    method: str = ""
    path: str = ""
    label: str | None = None
    step: int = 0
    status: int | None = None
    error: str | None = None
    json: Any = None
    body: Any = None
    http: HttpConnection | None = None
    http_new: bool = False
    thread: Thread | None = None
    greenlet: Greenlet | None = None
    task: Task | None = None
    in_loop: bool = False
    viewed: bool = False
    process: Process | None = None
    begun: int | None = None
    ended: int | None = None
    ended_in: Thread | None = None
    view_begun: int | None = None
    view_ended: int | None = None
    answered: int | None = None
    close_delimited: bool = False
    wrappers: int = 0
    failed: int = 0
    health_checks: int = 0
    threads_started: int = 0
    connections: list[tuple[DatabaseConnection, str]] = field(default_factory=list)
    closed_at: list[str] = field(default_factory=list)

    @property
    def is_seen(self) -> bool:
        """Whether Django's handler saw the request."""
        return self.begun is not None

    @property
    def executor(self) -> "Greenlet | Task | Thread | None":
        """What ran the view, and nothing else at the same time: a greenlet, a task or a thread."""
        if self.thread is None:
            return None
        return self.greenlet or (self.task if self.in_loop else None) or self.thread


class Named(Protocol):
    """Whatever has a name that readers see."""

    name: str
