"""The dataclasses of a scenario: frozen, hashable, picklable, and the same on every machine.

``line`` fields count from 0 at the first line of the directive's body. They are for messages only, and are
ignored in comparisons: a sequence that moved down its page is still the same sequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, assert_never

GarbageCollection: TypeAlias = Literal["automatic", "off", "each-request"]

AUTOMATIC: Final = "automatic"
"""The value of ``garbage_collection`` that doesn't change when Python's garbage collector runs."""

GARBAGE_COLLECTION: Final[tuple[GarbageCollection, ...]] = (AUTOMATIC, "off", "each-request")
"""When Python's garbage collector can run in the server's processes."""

PROJECT_DEFAULT: Final = "project"
"""The value of ``conn_max_age`` that doesn't change the project's own setting."""


@dataclass(frozen=True)
class Request:
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


@dataclass(frozen=True)
class Close:
    """``client`` closes its HTTP connection; its next request opens another one."""

    client: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Together:
    """Requests that are in the server at the same time."""

    requests: tuple[Request, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Wait:
    """A pause of ``seconds`` without requests."""

    seconds: float
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Reload:
    """A source file changes, and the auto-reloader restarts the server's process."""

    line: int = field(default=0, compare=False)


Fault: TypeAlias = Literal["end sessions", "restart", "refuse connections", "accept connections"]


@dataclass(frozen=True)
class DatabaseFault:
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
            match step:
                case Request():
                    yield step
                case Together(requests=requests):
                    yield from requests
                case Close() | Wait() | Reload() | DatabaseFault():
                    pass
                case _:
                    assert_never(step)

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
