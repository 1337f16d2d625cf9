"""Traces like those of runs under ``runserver``, made without a server."""

from collections.abc import Callable, Mapping
from typing import Any

from sphinx_djconn.scenario.model import Request, Scenario, Sequence, Together
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.reading import Trace

PROCESS = 1
MAIN = 1
SETTINGS = {
    "Django": "5.2.19",
    "Python": "3.11.9",
    "Server": "runserver",
    "Command": "python -m django runserver 127.0.0.1:0 --noreload",
    "Database": "SQLite",
    "CONN_MAX_AGE": "None",
    "CONN_HEALTH_CHECKS": "False",
}


class Client:
    """The client's end of an HTTP connection, and the thread and database connection behind it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.http: int | None = None
        self.thread = 0
        self.wrapper: int | None = None
        self.connection: int | None = None


class Simulation:
    """Writes the events and the log of one run. ``serial`` maps a counter to the serials of threads.

    ``max_age`` is ``CONN_MAX_AGE``: 0, or ``None``.
    """

    def __init__(
        self,
        max_age: int | None = None,
        serial: Callable[[int], int] = lambda count: count,
        ident: int = 139_299_259_958_976,
    ) -> None:
        self.max_age = max_age
        self.serial = serial
        self.ident = ident
        self.events: list[Event] = []
        self.log: list[str] = []
        self.clients: dict[str, Client] = {}
        self.number = self.https = self.threads = self.wrappers = self.connections = 0
        self.steps = 0
        self.start()

    def event(self, kind: str, thread: int = 0, request: int | None = None, **data: Any) -> None:
        at = len(self.events) * 1000
        process = PROCESS if thread else 0
        self.events.append(Event(at, kind, process, thread, request, len(self.log) if thread else 0, data))

    def start(self) -> None:
        python = {"pid": 4711, "ppid": 4710, "python": "3.11.9"}
        self.events.append(Event(0, "process.start", PROCESS, 0, None, 0, python))
        self.event("thread.start", MAIN, name="MainThread", ident=1, native=1, main=True)
        self.event("django", MAIN, version="5.2.19")
        self.log += ["Performing system checks...", ""]
        self.log += ["System check identified no issues (0 silenced)."]
        self.event("db.wrapper", MAIN, w=1_000_001, alias="default", vendor="sqlite", max_age=None)
        self.event("db.open", MAIN, w=1_000_001, c=1_000_001, alias="default")
        self.event("db.close", MAIN, w=1_000_001, c=1_000_001, why="explicit", phase="outside")
        self.log += ["<time>", "Django version 5.2.19, using settings 'mysite.settings'"]
        self.log += ["Starting development server at http://127.0.0.1:<port>/"]
        self.log += ["Quit the server with CONTROL-C.", ""]
        self.event("listening", MAIN, host="127.0.0.1", port=38_041)
        self.event("begin")

    def step(self, text: str) -> None:
        self.steps += 1
        self.event("step", n=self.steps, text=text)

    def arrive(self, client: Client, path: str, label: str | None, method: str = "GET") -> int:
        """Enter the view of a request."""
        self.number += 1
        number = self.number
        self.event("request.sent", request=number, client=client.name, method=method, path=path, label=label)
        self.new = client.http is None
        if client.http is None:
            self.https += 1
            client.http = self.https
            self.event("http.open", h=self.https, client=client.name, port=40_000 + self.https)
            self.threads += 1
            client.thread = MAIN + self.serial(self.threads)
            self.event(
                "thread.start",
                client.thread,
                name=f"Thread-{self.threads} (process_request_thread)",
                ident=self.ident,
                native=self.threads,
                main=False,
            )
            self.event("http.thread", client.thread, port=40_000 + self.https)
        self.event("request.begin", client.thread, number)
        return number

    def query(self, client: Client, number: int) -> None:
        if client.wrapper is None:
            self.wrappers += 1
            client.wrapper = self.serial(self.wrappers)
            self.event("db.wrapper", client.thread, number, w=client.wrapper, alias="default")
        if client.connection is None:
            self.connections += 1
            client.connection = self.serial(self.connections)
            self.event(
                "db.open",
                client.thread,
                number,
                w=client.wrapper,
                c=client.connection,
                alias="default",
            )
        else:
            self.event("db.use", client.thread, number, w=client.wrapper, c=client.connection)

    def leave(
        self, client: Client, number: int, path: str, status: int, *, new: bool, json: Any = None
    ) -> None:
        self.log.append(f'[<time>] "GET {path} HTTP/1.1" {status} 5412')
        if client.connection is not None and self.max_age == 0:
            self.event(
                "db.close",
                client.thread,
                number,
                w=client.wrapper,
                c=client.connection,
                why="end of request",
                phase="end",
            )
            client.connection = None
        self.event("request.end", client.thread, number)
        self.event("response", request=number, h=client.http, new=new, status=status, size=5412, json=json)

    def request(
        self,
        name: str = "new client",
        path: str = "/polls/",
        *,
        status: int = 200,
        label: str | None = None,
        query: bool = True,
        closes: bool = False,
        json: Any = None,
    ) -> None:
        """Send one request; ``closes`` says whether the server then closes the HTTP connection."""
        client = self.client(name)
        number = self.arrive(client, path, label)
        new = self.new
        if query:
            self.query(client, number)
        self.leave(client, number, path, status, new=new, json=json)
        if closes:
            self.hang_up(client, by="server")
        elif name == "new client":
            self.hang_up(client)

    def client(self, name: str) -> Client:
        if name == "new client":
            return Client(name)
        return self.clients.setdefault(name, Client(name))

    def hang_up(self, client: Client, by: str = "client") -> None:
        self.event("http.close", h=client.http, by=by)
        self.event("thread.end", client.thread)
        if client.connection is not None:
            self.event("db.collected", MAIN, w=client.wrapper, c=client.connection)
        client.http = client.wrapper = client.connection = None

    def together(self, names: list[str], path: str = "/polls/") -> None:
        clients = [self.client(name) for name in names]
        arrived = []
        for client in clients:
            number = self.arrive(client, path, None)
            arrived.append((client, number, self.new))
        for client, number, _ in arrived:
            self.query(client, number)
        for client, number, new in arrived:
            self.leave(client, number, path, 200, new=new)
            if client.name == "new client":
                self.hang_up(client)

    def trace(self, settings: Mapping[str, str] = SETTINGS) -> Trace:
        self.event("end")
        return Trace(tuple(self.events), tuple(self.log), settings)


def scenario(text: str, *clients: str) -> Scenario:
    """Return a scenario whose sequence has ``text`` and names ``clients``."""
    steps = tuple(Request(client, "GET", "/polls/") for client in (*clients, None))
    return Scenario(Sequence(steps, text))


def keep_alive(**options: Any) -> tuple[Scenario, Trace]:
    """Six requests of one client over one connection."""
    run = Simulation(**options)
    run.step("browser: GET /polls/ as first")
    run.request("browser", label="first")
    run.step("5 x browser: GET /polls/")
    for _ in range(5):
        run.request("browser")
    text = "browser: GET /polls/ as first\n5 x browser: GET /polls/"
    return scenario(text, "browser"), run.trace()


def new_clients(count: int = 6, **options: Any) -> tuple[Scenario, Trace]:
    """``count`` requests, each of its own client."""
    run = Simulation(**options)
    run.step(f"{count} x new client: GET /polls/")
    for _ in range(count):
        run.request()
    return scenario(f"{count} x new client: GET /polls/"), run.trace()


def at_once(**options: Any) -> tuple[Scenario, Trace]:
    """Three requests that the server handles at the same time, and one after them."""
    run = Simulation(**options)
    run.step("together:")
    run.together(["browser", "new client", "new client"])
    run.step("browser: GET /polls/")
    run.request("browser")
    run.step("browser: close")
    run.hang_up(run.clients["browser"])
    text = (
        "together:\n    browser: GET /polls/\n    2 x new client: GET /polls/\n"
        "browser: GET /polls/\nbrowser: close"
    )
    steps = Together((Request("browser", "GET", "/polls/"), Request(None, "GET", "/polls/", count=2)))
    return Scenario(Sequence((steps, Request("browser", "GET", "/polls/")), text)), run.trace()


def started_threads(order: tuple[int, ...] = (0, 1, 2)) -> tuple[Scenario, Trace]:
    """One request that starts three threads, which open a connection each, in ``order``, and leave it open."""
    run = Simulation()
    run.step("browser: GET /executor/")
    client = run.client("browser")
    number = run.arrive(client, "/executor/", None)
    own = [client.thread + 1 + position for position in range(3)]
    for thread in own:
        start: dict[str, Any] = {"name": "work", "ident": thread, "native": thread, "main": False}
        run.event("thread.start", thread, number, **start)
    for position in order:
        run.event("db.wrapper", own[position], number, w=10 + position, alias="default")
        run.event("db.open", own[position], number, w=10 + position, c=10 + position, alias="default")
    for position in order:
        run.event("thread.end", own[position])
    run.leave(client, number, "/executor/", 200, new=run.new)
    return scenario("browser: GET /executor/", "browser"), run.trace()


def outside_of_django(**options: Any) -> tuple[Scenario, Trace]:
    """A request that Django handles, and one that something else answers."""
    run = Simulation(**options)
    run.step("browser: GET /polls/")
    run.request("browser")
    run.step("browser: GET /static/logo.svg")
    run.number += 1
    sent = {"client": "browser", "method": "GET", "path": "/static/logo.svg", "label": None}
    run.event("request.sent", request=run.number, **sent)
    answer = {"h": 1, "new": False, "status": 200, "size": 17, "json": None}
    run.event("response", request=run.number, **answer)
    return scenario("browser: GET /polls/\nbrowser: GET /static/logo.svg", "browser"), run.trace()
