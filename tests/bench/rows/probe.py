"""What the probe costs: the same server with it and without, under the same load, in turns."""

import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sphinx_djconn.lab.run_environ import PROBE

from ..report import Result, Row, Samples, difference, over_turns
from ..workplace import INSIDE, BenchError, Workplace

PATH = "/query/"
BATCH, AT_ONCE = 40, 4
"""Requests of a batch, so few that the machine is as fast for the next, and connections at the same time."""

SERVERS = {
    "runserver": ("-m", "django", "runserver", "--noreload", "127.0.0.1:0"),
    "gunicorn": (
        *("-m", "gunicorn", "--bind", "127.0.0.1:0", "--worker-class", "gthread"),
        *("--workers", "1", "--threads", str(AT_ONCE), "--keep-alive", "60", "mysite.wsgi"),
    ),
}
ARMS = {"without": False, "with": True}

_PORT = re.compile(rb" at:? http://127\.0\.0\.1:(\d+)")
_STARTING = 30.0


class Figures(NamedTuple):
    """Of a batch: requests per second, and of a request the median latency and processor time, in µs."""

    rate: float
    latency: float
    cpu: float


class Running(NamedTuple):
    """A server: the first of its processes, which leads a session of its own, and its port."""

    pid: int
    port: int


def measure(place: Workplace) -> Row:
    """Load both kinds of server; every turn has servers of its own."""
    row = Row("probe", "The probe's cost: kept-alive connections, one query a request")
    place.ready_site.joinpath("bench_settings.py").write_text(
        "from mysite.settings import *\n\nDATABASES['default']['CONN_MAX_AGE'] = None\n", encoding="utf-8"
    )
    for name, command in SERVERS.items():
        taken: dict[tuple[str, int], list[Figures]] = {}
        for _ in range(place.repeated(8)):
            with contextlib.ExitStack() as stack:
                servers = {
                    arm: stack.enter_context(_serving(place, f"{name}-{arm}", command, probe=probe))
                    for arm, probe in ARMS.items()
                }
                load = stack.enter_context(_load(place))
                for connections in (1, AT_ONCE):
                    _alternate(load, servers, connections, place.repeated(60, 20), taken)
        _conclude(row, name, taken)
    return row


def _alternate(
    load: "subprocess.Popen[bytes]",
    servers: dict[str, Running],
    connections: int,
    turns: int,
    taken: dict[tuple[str, int], list[Figures]],
) -> None:
    for turn in range(-1, turns):  # the first turn warms both servers up
        for arm in sorted(servers, reverse=turn % 2 == 0):
            figures = _batch(load, servers[arm], connections)
            if turn >= 0:
                taken.setdefault((arm, connections), []).append(figures)


def _batch(load: "subprocess.Popen[bytes]", server: Running, connections: int) -> Figures:
    assert load.stdin is not None
    assert load.stdout is not None
    cpu = _cpu(server)
    asked = {"port": server.port, "path": PATH, "count": BATCH, "connections": connections}
    load.stdin.write(json.dumps(asked).encode() + b"\n")
    load.stdin.flush()
    answer = load.stdout.readline()
    if not answer:
        raise BenchError("the client that sends load has ended")
    told = json.loads(answer)
    each = (_cpu(server) - cpu) / BATCH
    return Figures(BATCH / told["seconds"], statistics.median(told["latencies"]) * 1e6, each)


def _cpu(server: Running) -> float:
    """Return the processor time that the tasks of a server have taken, in µs; 0 where there is no /proc."""
    taken = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            session = process.joinpath("stat").read_text().rpartition(")")[2].split()[3]
            if int(session) == server.pid:
                for task in process.joinpath("task").iterdir():
                    taken += int(task.joinpath("schedstat").read_text().split()[0])
    return taken / 1e3


def _conclude(row: Row, name: str, taken: dict[tuple[str, int], list[Figures]]) -> None:
    for connections in (1, AT_ONCE):
        at_once = "one connection" if connections == 1 else f"{connections} connections"
        rates = {
            arm: Samples(
                f"{name} {arm} the probe, {at_once}",
                "requests/s",
                tuple(each.rate for each in taken[arm, connections]),
            )
            for arm in ARMS
        }
        row.samples += rates.values()
        value, spread = over_turns(
            (1 - one / other) * 100
            for one, other in zip(rates["with"].values, rates["without"].values, strict=True)
        )
        what, goal = f"{name}, {at_once}: requests per second lost", "at most 5 %"
        row.results.append(Result(what, goal, value, "%", at_most=5.0, spread=spread))
    for attribute, what, goal, limit in (
        ("latency", "latency at the median", "at most 50 µs", 50.0),
        ("cpu", "processor time of a request", "", None),
    ):
        samples = {
            arm: Samples(
                f"{name} {arm} the probe, {what}",
                "µs",
                tuple(getattr(each, attribute) for each in taken[arm, 1]),
            )
            for arm in ARMS
        }
        row.samples += samples.values()
        value, spread = difference(samples["with"], samples["without"])
        row.results.append(Result(f"{name}: {what}, added", goal, value, "µs", at_most=limit, spread=spread))


@contextlib.contextmanager
def _serving(place: Workplace, name: str, command: tuple[str, ...], *, probe: bool) -> Iterator[Running]:
    """Yield a server of the demo site, where the probe is attached if that is wanted."""
    search = [str(place.ready_site)]
    variables = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONUNBUFFERED": "1"}
    with contextlib.ExitStack() as stack:
        if probe:
            folder = Path(tempfile.mkdtemp(dir=place.temporary))
            stack.callback(shutil.rmtree, folder)
            address = folder / "s"
            sink = stack.enter_context(
                place.process([sys.executable, INSIDE / "sink.py", address], stdout=subprocess.PIPE)
            )
            assert sink.stdout is not None
            sink.stdout.readline()
            search.insert(0, str(PROBE))
            variables["DJCONN_SOCKET"] = str(address)
        variables["PYTHONPATH"] = ":".join(search)
        log = place.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        with log.open("ab") as output:  # as the lab does
            server = stack.enter_context(
                place.process(
                    [sys.executable, *command],
                    environ=place.environ(**variables),
                    cwd=place.ready_site,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
        yield Running(server.pid, _port(log, server))


def _port(log: Path, server: "subprocess.Popen[bytes]") -> int:
    limit = time.monotonic() + _STARTING
    while (found := _PORT.search(log.read_bytes())) is None:
        if server.poll() is not None or time.monotonic() > limit:
            raise BenchError(f"a server did not start: {log.read_text(errors='replace')}")
        time.sleep(0.05)
    return int(found[1])


@contextlib.contextmanager
def _load(place: Workplace) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, INSIDE / "load.py"]
    with place.process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
