"""Deployed servers that misbehave: workers that die or never stop, servers that never listen."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.errors import RunError, ServerError, TimeLimitError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.lab.profiles.servers import read_server
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Recording
from tests.support.building import Docs
from tests.support.choosing import a_few

VIEWS = """
import signal
import threading


def die(request):
    os._exit(5)


def kill(request):
    os.kill(os.getpid(), signal.SIGKILL)


def stay(request):
    threading.Thread(target=time.sleep, args=(60,)).start()
    return HttpResponse("a thread goes on")


def ignore(request):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT):
        signal.signal(number, signal.SIG_IGN)
    return HttpResponse("a worker that hears nothing")


def litter(request):
    import tempfile
    return JsonResponse({"path": tempfile.mkstemp()[1]})


def who(request):
    return JsonResponse({"pid": os.getpid()})
"""

ONE_WORKER = {
    "command": ["gunicorn", "--workers=1", "--bind=127.0.0.1:{port}", "{wsgi}"],
    "env": {"XDG_RUNTIME_DIR": "{folder}"},
    "requires": ["gunicorn"],
    "stop_seconds": 5.0,
}

DEAF = """
import signal, socket, sys, time
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    connection.close()
"""

SERVERS: dict[str, dict[str, Any]] = {
    "one-worker": ONE_WORKER,
    "deaf": {"command": ["{python}", "-c", DEAF, "{port}"], "stop_seconds": 0.5},
    "no-module": {**ONE_WORKER, "command": [*ONE_WORKER["command"][:-1], "no_such_module:application"]},
    "listens-nowhere": {"command": ["{python}", "-c", "import time; time.sleep(60)", "{port}"]},
    "listens-elsewhere": {
        "command": [
            *("{python}", "-c"),
            "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(60)",
            "{port}",
        ]
    },
    "impatient": {**ONE_WORKER, "stop_seconds": 1.0},
}


class Lab:
    """A laboratory, and the documentation whose processes are those of the test."""

    def __init__(self, docs: Docs, laboratory: Laboratory) -> None:
        self._docs = docs
        self._laboratory = laboratory

    def run(self, server: str, sequence: str, **options: Any) -> Recording:
        return self._laboratory.run(Scenario(parse_sequence(sequence), server=server, **options))

    def left_behind(self) -> list[str]:
        """Return the names of temporary files."""
        return [path.name for path in self._docs.temporary.iterdir()]

    def processes(self) -> list[str]:
        """Return the processes of servers: not those that wait, warm, for the next run."""
        warm = [each for each in self._docs.processes() if "forkserver.py" not in " ".join(each.cmdline())]
        return [str(each) for each in warm]


@pytest.fixture
def lab(docs: Docs, databases: Path) -> Iterator[Lab]:
    profiles = Profiles(
        projects={"default": read_project(docs.project(views=VIEWS), docs.source)},
        servers={name: read_server(table, f"djconn_servers[{name!r}]") for name, table in SERVERS.items()},
    )
    with closing(Laboratory(profiles, databases)) as laboratory:
        lab = Lab(docs, laboratory)
        yield lab
        assert lab.processes() == []


@pytest.mark.parametrize("view", a_few(["die", "kill"], "kill"))
def test_a_worker_that_dies_is_replaced_and_the_trace_says_so(lab: Lab, view: str) -> None:
    sequence = f"browser: GET /who as before\nbrowser: GET /{view}\nbrowser: GET /who -> 200 as after"
    (trace,) = lab.run("one-worker", sequence).runs
    before, during, after = trace.entities.requests.values()
    assert before.process is during.process is not None
    assert after.process is not None
    assert (before.process.pid, after.process.pid) == (before.json["pid"], after.json["pid"])
    assert before.process.pid != after.process.pid
    assert (before.process.ended, after.process.ended) == (True, False)
    assert (during.status, during.error is None) == (None, False)
    kinds = {event.process: event.kind for event in trace.events if event.process}  # the last of each
    assert kinds[before.process.serial] == "process.exit"


def test_temporary_files_of_a_worker_that_is_killed_go_with_its_run(lab: Lab) -> None:
    (trace,) = lab.run("one-worker", "browser: GET /litter as it\nbrowser: GET /kill").runs
    assert trace.entities.request(1).json["path"].startswith("<run>/")
    assert lab.left_behind() == []


@pytest.mark.parametrize("view", a_few(["stay", "ignore"], "stay"))
def test_a_worker_that_never_stops_is_killed_and_told_and_its_run_counts(lab: Lab, view: str) -> None:
    recording = lab.run("impatient", f"browser: GET /{view} -> 200")
    (note,) = recording.notes
    assert "the server did not end within 1 seconds of SIGTERM and was killed; the run is complete" in note
    assert [request.status for request in recording.runs[0].entities.requests.values()] == [200]


def test_a_server_that_ignores_all_signals_and_has_no_probe_is_killed_and_told(lab: Lab) -> None:
    recording = lab.run("deaf", "browser: GET / -> 200")
    (note,) = recording.notes
    assert "the server did not end within 0.5 seconds of SIGTERM" in note


def test_a_server_that_is_given_its_port_and_exits_while_starting_is_told_with_its_log(lab: Lab) -> None:
    with pytest.raises(ServerError, match=r"exited with code \d while the run waited for") as raised:
        lab.run("no-module", "browser: GET /")
    assert any("No module named 'no_such_module'" in line for line in raised.value.log)


@pytest.mark.parametrize("server", a_few(["listens-nowhere", "listens-elsewhere"], "listens-elsewhere"))
def test_a_server_that_never_listens_where_it_was_told_to_is_stopped_by_the_time_limit(
    lab: Lab, server: str
) -> None:
    with pytest.raises(TimeLimitError, match="time limit while waiting for the server to listen"):
        lab.run(server, "browser: GET /", timeout=2.0)


def test_a_worker_that_dies_each_time_is_no_evidence_of_anything(lab: Lab) -> None:
    with pytest.raises(RunError, match="none of the 2 requests had a response"):
        lab.run("one-worker", "2 x browser: GET /die")
