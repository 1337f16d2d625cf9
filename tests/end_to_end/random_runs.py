"""Random sequences with random servers and databases, each compared with what the site itself recorded.

The witness is code of the site (``site/witness.py``), which doesn't use the probe. The seed alone decides what
is run, so that a run that disagrees can be repeated.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.facts import Facts, facts_of
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.unknown import Unknown

STATUSES = {"broken": 500, "missing": 404}
VIEWS = (
    *("plain", "query", "query", "query", "both", "close", "broken", "missing"),
    *("stream", "thread", "tidy_thread", "executor", "coroutine"),
)
GREENLETS = {"gunicorn-gevent"}
"""Servers whose greenlets share a thread, in which asyncio runs only one event loop at a time."""

OWN_PORTS = {"uwsgi", "uwsgi-threads"}
"""Servers whose router connects to the workers, which see its ports instead of those of the clients."""

NO_ORM = {"gunicorn-tornado"}
"""Servers that run views in the thread of an event loop, where Django's ORM refuses to work."""

MOST_CLIENTS = 3


@dataclass(frozen=True)
class RandomRun:
    """One scenario, and the name of each request's view by number."""

    name: str
    scenario: Scenario
    views: dict[int, str]


@dataclass
class Tally:
    """The number of runs by server and database, and the disagreements."""

    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield a line for each server and database."""
        for (server, database), count in sorted(self.runs.items()):
            yield f"{server:24} {database:12} {count:6}"


def generate(seed: int, servers: list[str], databases: list[str]) -> RandomRun:
    """Return the run for ``seed``."""
    choose = random.Random(seed)
    server = choose.choice(servers)
    name = f"r{seed}"
    views: dict[int, str] = {}
    lines: list[str] = []
    connected: set[str] = set()

    def request(client: str) -> str:
        number = len(views) + 1
        view = "plain" if server in NO_ORM else choose.choice(VIEWS)
        if view == "coroutine" and server in GREENLETS:
            view = "query"
        views[number] = view
        if client != "new client":
            connected.add(client)
        return f"{client}: GET /{view}/?run={name}&n={number} as q{number}"

    for _ in range(choose.randint(2, 9)):
        step = choose.random()
        if step < 0.1 and connected:
            client = choose.choice(sorted(connected))
            connected.discard(client)
            lines.append(f"{client}: close")
        elif step < 0.15:
            lines.append("wait 20ms")
        elif step < 0.3:
            named = choose.sample([f"c{n}" for n in range(MOST_CLIENTS)], choose.randint(0, 2))
            clients = named + ["new client"] * choose.randint(2 - min(2, len(named)), 2)
            lines += ["together:", *(f"    {request(client)}" for client in clients)]
            if len(clients) < 2:  # together means at least two
                lines.append(f"    {request('new client')}")
        else:
            clients = [f"c{n}" for n in range(MOST_CLIENTS)] + ["new client"] * 2
            lines.append(request(choose.choice(clients)))
    if not views:
        lines.append(request("new client"))
    scenario = Scenario(
        parse_sequence("\n".join(lines)),
        server=server,
        database=choose.choice(databases),
        conn_max_age=choose.choice([0, 60, None]),
    )
    return RandomRun(name, scenario, views)


def run_and_compare(laboratory: Laboratory, run: RandomRun, witnessed: Path) -> list[str]:
    """Run the scenario; return the differences between the trace and what the site recorded."""
    (trace,) = laboratory.run(run.scenario).runs
    path = witnessed / f"{run.name}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return list(_Comparison(run, trace, list(map(json.loads, lines))).differences())


class _Comparison:
    """A trace, and the lines that the site wrote until the end of the sequence."""

    def __init__(self, run: RandomRun, trace: Trace, lines: list[dict[str, Any]]) -> None:
        end = next(event.at for event in reversed(trace.events) if event.kind == "end")
        self.run = run
        self.trace = trace
        self.facts: Facts = facts_of(trace)
        self.lines = [line for line in lines if line["t"] <= end]
        self.seen = {line["n"]: line for line in self.of("view")}
        self.requests = list(trace.entities.requests.values())
        self.opener = {tuple(line["c"]): line["n"] for line in self.of("open")}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["k"] == kind]

    def differences(self) -> Iterator[str]:
        yield from self._responses()
        yield from self._places()
        yield from self._databases()
        yield from self._overlaps()

    def _responses(self) -> Iterator[str]:
        expected = [STATUSES.get(view, 200) for view in self.run.views.values()]
        yield from self._fact("requests", len(expected))
        yield from self._fact("responses", len(expected))
        yield from self._fact("statuses", expected)

    def _places(self) -> Iterator[str]:
        witnessed = [request for request in self.requests if request.number in self.seen]
        for request in witnessed:
            line = self.seen[request.number]
            if request.process is None or request.process.pid != line["pid"]:
                yield f"request {request.number}: process {request.process}, and pid {line['pid']}"
            has_port = line["port"] and self.run.scenario.server not in OWN_PORTS
            if has_port and request.http is not None and request.http.port != int(line["port"]):
                yield f"request {request.number}: HTTP connection {request.http}, and port {line['port']}"
        yield from self._partition("threads", witnessed, _thread, lambda line: (line["pid"], line["task"]))
        yield from self._partition(
            "executors",
            witnessed,
            lambda request: (type(request.executor).__name__, request.executor and request.executor.key),
            lambda line: (line["pid"], line["task"], line["greenlet"]),
            of=lambda request: request.task is None,
        )
        if len(witnessed) == len(self.requests):
            yield from self._fact("processes", len({line["pid"] for line in self.seen.values()}))
            yield from self._fact("threads", len({(one["pid"], one["task"]) for one in self.seen.values()}))

    def _partition(
        self,
        what: str,
        requests: list[RequestEntity],
        key: Callable[[RequestEntity], Hashable],
        witness: Callable[[dict[str, Any]], Hashable],
        of: Callable[[RequestEntity], bool] = lambda _: True,
    ) -> Iterator[str]:
        chosen = [request for request in requests if of(request)]
        ours = _partition(chosen, key)
        theirs = _partition(chosen, lambda request: witness(self.seen[request.number]))
        if ours != theirs:
            yield f"{what}: {sorted(map(sorted, ours))}, and {sorted(map(sorted, theirs))}"

    def _databases(self) -> Iterator[str]:
        closed = {tuple(line["c"]) for line in self.of("close")}
        yield from self._fact("db.opened", len(self.opener))
        yield from self._fact("db.closed", len(closed & self.opener.keys()))
        rest = ["db.open", "db.abandoned", "db.lost", "db.dropped"]
        figures = [self.facts.figures.get(name) for name in rest]
        outside = self.facts.figures["db.outside_requests"]
        if all(isinstance(figure, int) for figure in (*figures, outside)):
            left, most = len(self.opener) - len(closed), sum(figures)  # type: ignore[arg-type]
            if not left <= most <= left + outside:  # type: ignore[operator]
                yield f"{' + '.join(rest)} is {figures}, and {left} of the requests' were not closed"
        used: dict[int, set[Hashable]] = {}
        reused = set()
        for line in self.of("use"):
            used.setdefault(line["n"], set()).add(tuple(line["c"]))
            if self.opener.get(tuple(line["c"])) != line["n"]:
                reused.add(line["n"])
        yield from self._fact("db.reused", len(reused))
        for request in self.requests:
            names = {connection.key for connection, _ in request.connections}
            if len(names) != len(used.get(request.number, ())):
                yield f"request {request.number}: {len(names)} connections, and {used.get(request.number)}"

    def _overlaps(self) -> Iterator[str]:
        """Yield pairs of views that ran at the same time, but were not in the handler at the same time."""
        ends = {line["n"]: line["t"] for line in self.of("view.end")}
        spans = {n: (line["t"], ends[n]) for n, line in self.seen.items() if n in ends}
        for one, (begin, end) in spans.items():
            for other, (other_begin, other_end) in spans.items():
                pair = frozenset({f"q{one}", f"q{other}"})
                if one < other and begin < other_end and other_begin < end and pair not in self.facts.overlaps:
                    yield f"the views of requests {one} and {other} overlapped"

    def _fact(self, name: str, expected: Any) -> Iterator[str]:
        figure = self.facts.figures.get(name)
        if figure != expected:
            shown = figure.reason if isinstance(figure, Unknown) else figure
            yield f"{name} is {shown}, and {expected} by the site"


def _thread(request: RequestEntity) -> Hashable:
    return request.thread and request.thread.key


def _partition(
    requests: Iterable[RequestEntity], key: Callable[[RequestEntity], Hashable]
) -> set[frozenset[int]]:
    groups: dict[Hashable, set[int]] = {}
    for request in requests:
        groups.setdefault(key(request), set()).add(request.number)
    return set(map(frozenset, groups.values()))
