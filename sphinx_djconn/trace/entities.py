"""The entities of a run: processes, threads, greenlets, tasks, connections of both kinds, requests."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

Key: TypeAlias = tuple[int, int]
"""The serial of a process, and a serial within it."""


@dataclass(slots=True)
class Process:
    """A process of the server. ``name`` is P1, P2, … where it served requests, else ``P0``."""

    serial: int
    name: str = "P0"
    pid: int = 0
    parent_pid: int = 0
    python: str = ""
    django: str = ""
    ended: bool = False


@dataclass(slots=True)
class Thread:
    """A thread. ``name`` is T1, T2, … where it served requests, else ``main`` or what Python calls it."""

    key: Key
    name: str = "?"
    process: str = "P0"
    ident: int = 0
    main: bool = False
    ended: bool = False


@dataclass(slots=True)
class Greenlet:
    """A greenlet of a thread: G1, G2, … where it served requests. ``ident`` is what it is to ``threading``."""

    key: Key
    name: str = "greenlet"
    ident: int = 0
    ended: bool = False


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

    ``opened_in`` and ``closed_in`` are numbers of requests, ``None`` outside of any. ``why`` tells why
    Django closed it and is ``None`` where Django did not. ``thread`` is the thread whose
    ``django.db.connections`` holds it, or ``greenlet`` where that has its own; ``abandoned`` tells that
    this has ended, ``dropped`` that its process has, or that the connection was taken away from its
    wrapper.

    ``pid`` is what the database server knows its session by, ``None`` where there is no server. One that is
    ``pooled`` was taken from a pool, perhaps several times, and ``returned`` tells that it is there again.
    ``ended`` tells that at the end the server had no session of it any more, though Django had not closed
    it; ``lost``, that its thread or greenlet had ended, too.
    """

    key: Key
    thread: Key
    greenlet: Key | None = None
    alias: str = "default"
    name: str = "?"
    opened_in: int | None = None
    closed_in: int | None = None
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

    @property
    def open(self) -> bool:
        """Whether a thread that is alive can still use it, as far as Django knows."""
        discarded = self.returned and self.ended  # its pool has noticed
        return self.why is None and not (self.abandoned or self.dropped or self.lost or discarded)


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
    request. ``thread`` is the one that ran its view, ``greenlet`` the part of it that did, and ``task`` is
    what an event loop gave the request to; ``in_loop`` tells that the view ran in the loop's own thread.
    ``connections`` are the database connections it used, in that order, with ``opened`` or
    ``reused``.
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
    process: Process | None = None
    begun: int | None = None
    ended: int | None = None
    wrappers: int = 0
    failed: int = 0
    health_checks: int = 0
    connections: list[tuple[DatabaseConnection, str]] = field(default_factory=list)
    closed_at: list[str] = field(default_factory=list)

    @property
    def executor(self) -> "Greenlet | Task | Thread | None":
        """What ran the view, and nothing else at the same time: a greenlet, a task or a thread."""
        return self.greenlet or (self.task if self.in_loop else None) or self.thread


class Named(Protocol):
    """Whatever has a name that readers see."""

    name: str
