"""The values of a scenario: frozen, hashable, picklable, and free of anything of a machine.

``line`` fields count from 0 at the first line of the directive's body. They serve messages only and
take no part in comparisons: a sequence that moved down its page is still the same sequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, assert_never

GarbageCollection: TypeAlias = Literal["automatic", "off", "each-request"]

AUTOMATIC: Final = "automatic"
"""The value of ``garbage_collection`` that leaves Python's garbage collector alone."""

GARBAGE_COLLECTION: Final[tuple[GarbageCollection, ...]] = (AUTOMATIC, "off", "each-request")
"""When Python's garbage collector can run in the server's processes."""

PROJECT_DEFAULT: Final = "project"
"""The value of ``conn_max_age`` that leaves the project's own setting alone."""


@dataclass(frozen=True)
class Request:
    """``count`` requests that one client sends one after another.

    ``client`` is ``None`` for ``new client``: then each of the requests has a client, and an HTTP
    connection, of its own. ``data`` is the body as written after ``with``.
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
    """``client`` hangs up; its next request opens a connection."""

    client: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Together:
    """Requests that are in the server at the same time."""

    requests: tuple[Request, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Wait:
    """A pause of ``seconds`` in which no client does anything."""

    seconds: float
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Reload:
    """A source file changes, and the auto-reloader starts the server's process anew."""

    line: int = field(default=0, compare=False)


Fault: TypeAlias = Literal["end sessions", "restart", "refuse connections", "accept connections"]


@dataclass(frozen=True)
class DatabaseFault:
    """Something that the database server does to the sessions of this run."""

    action: Fault
    line: int = field(default=0, compare=False)


Step: TypeAlias = Request | Close | Together | Wait | Reload | DatabaseFault


@dataclass(frozen=True)
class Sequence:
    """The steps that clients take, from top to bottom, and the text they were read from."""

    steps: tuple[Step, ...]
    text: str = field(compare=False)

    def requests(self) -> Iterator[Request]:
        """Yield every request step in the order of the page, those of ``together`` too."""
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
        """The lines of all steps; equal sequences have them in the same order."""
        inner = (request.line for request in self.requests())
        return (*(step.line for step in self.steps), *inner)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels given with ``as``, in the order of the page."""
        return tuple(request.label for request in self.requests() if request.label)


@dataclass(frozen=True)
class Scenario:
    """A sequence against one server, one database, one set of settings, one environment.

    Servers, databases, environments and projects are names of profiles: what they execute is known
    to the lab alone. ``conn_max_age`` is in seconds, ``None`` for connections without an age limit,
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
