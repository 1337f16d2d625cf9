"""The dataclasses of a scenario: frozen, hashable, picklable, and the same on every machine.

``line`` fields count from 0 at the first line of the directive's body. They are for messages only, and are
ignored in comparisons: a sequence that moved down its page is still the same sequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

GarbageCollection: TypeAlias = Literal["automatic", "off", "each-request"]

AUTOMATIC: Final = "automatic"
"""The value of ``garbage_collection`` that doesn't change when Python's garbage collector runs."""

GARBAGE_COLLECTION: Final[tuple[GarbageCollection, ...]] = (AUTOMATIC, "off", "each-request")
"""When Python's garbage collector can run in the server's processes."""

PROJECT_DEFAULT: Final = "project"
"""The value of ``conn_max_age`` that doesn't change the project's own setting."""


_RELOAD_SECONDS: Final = 1.5
_TOGETHER_SECONDS: Final = 0.5
"""Estimates of what such a step takes. Only the order of the scenarios depends on them."""


class BaseStep:
    """What the lab asks each step. A step overrides what differs for it."""

    @property
    def all_requests(self) -> "tuple[Request, ...]":
        """The requests of the step."""
        return ()

    @property
    def waiting_seconds(self) -> float:
        """About how many seconds the step waits without using a processor."""
        return 0.0


@dataclass(frozen=True)
class Request(BaseStep):
    """``count`` requests that one client sends one after another.

    ``client`` is ``None`` for ``new client``: then each of the requests has its own client and HTTP
    connection. ``data`` is the body as written after ``with``.
    """

    client: str | None
    method: str
    path: str
    data: str | None = None
    status: int | None = None
    label: str | None = None
    count: int = 1
    line: int = field(default=0, compare=False)

    @property
    def all_requests(self) -> "tuple[Request, ...]":
        """This one."""
        return (self,)


@dataclass(frozen=True)
class Close(BaseStep):
    """``client`` closes its HTTP connection; its next request opens another one."""

    client: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Together(BaseStep):
    """Requests that are in the server at the same time."""

    requests: tuple[Request, ...]
    line: int = field(default=0, compare=False)

    @property
    def all_requests(self) -> tuple[Request, ...]:
        """All of them."""
        return self.requests

    @property
    def waiting_seconds(self) -> float:
        """Each of the requests waits for the others."""
        return _TOGETHER_SECONDS


@dataclass(frozen=True)
class Wait(BaseStep):
    """A pause of ``seconds`` without requests."""

    seconds: float
    line: int = field(default=0, compare=False)

    @property
    def waiting_seconds(self) -> float:
        """The pause."""
        return self.seconds


@dataclass(frozen=True)
class Reload(BaseStep):
    """A source file changes, and the auto-reloader restarts the server's process."""

    line: int = field(default=0, compare=False)

    @property
    def waiting_seconds(self) -> float:
        """The auto-reloader looks for changes once a second."""
        return _RELOAD_SECONDS


Fault: TypeAlias = Literal["end sessions", "restart", "refuse connections", "accept connections"]


@dataclass(frozen=True)
class DatabaseFault(BaseStep):
    """The database server ends the sessions of this run, or refuses or accepts connections."""

    action: Fault
    line: int = field(default=0, compare=False)


Step: TypeAlias = Request | Close | Together | Wait | Reload | DatabaseFault


@dataclass(frozen=True)
class Sequence:
    """The steps in order, and the text that they were parsed from."""

    steps: tuple[Step, ...]
    text: str = field(compare=False)

    def requests(self) -> Iterator[Request]:
        """Yield all requests in the order of the page, also those of ``together``."""
        for step in self.steps:
            yield from step.all_requests

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of all steps, in an order that is the same for equal sequences."""
        inner = (request.line for request in self.requests())
        return (*(step.line for step in self.steps), *inner)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels given with ``as``, in the order of the page."""
        return tuple(request.label for request in self.requests() if request.label)


@dataclass(frozen=True)
class Scenario:
    """A sequence with one server, database, environment and project, and with settings.

    Servers, databases, environments and projects are names of profiles: only the lab knows what they
    execute. ``conn_max_age`` is in seconds, ``None`` for connections without an age limit,
    or :data:`PROJECT_DEFAULT`. ``garbage_collection`` is one of :data:`GARBAGE_COLLECTION`. ``timeout``
    is in seconds, for one run; ``None`` takes the default.
    """

    sequence: Sequence
    server: str = "runserver"
    database: str = "sqlite"
    environment: str = "current"
    project: str = "default"
    conn_max_age: float | Literal["project"] | None = PROJECT_DEFAULT
    conn_health_checks: bool | None = None
    garbage_collection: GarbageCollection = AUTOMATIC
    runs: int = 1
    timeout: float | None = None
