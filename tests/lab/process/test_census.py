"""A server that the lab starts is one that a shell starts: compared by all that a process has and is.

There are four ways to start one: a fork of the warm process, a fork of one with the project set up, from the
command line of the lab, and from the command line without any lab, as a shell does it. What may differ is in
the tables below, each with its reason; ``docs/how-it-works.rst`` says the same.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from sphinx_djconn.lab.command import ServerCommand
from sphinx_djconn.lab.environments.environment import current
from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.process.port import Port
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.lab.profiles.servers import SERVERS, Server
from sphinx_djconn.lab.requirements import check_installed
from sphinx_djconn.lab.run_folder import RunFolder
from sphinx_djconn.lab.run_spec import RunSpec
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from tests.lab.process.census import NOT_ASKED
from tests.support.building import Docs, documentation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the census reads Linux's /proc")

SECONDS = 60.0
SERVER = "runserver-nothreading"
"""It handles requests in the first thread of its process, which shows the most."""

CENSUS = Path(__file__).parent / "census.py"
SETTINGS = 'STATIC_URL = "static/"\n'  # which runserver_plus takes for granted
VIEWS = '''
import json
import socket

FOLDER = os.path.dirname(os.path.abspath(__file__))


def counted(request):
    sys.path.insert(0, FOLDER)
    try:
        from tests.lab.process import census
    finally:
        del sys.path[0]
    with open(os.path.join(FOLDER, ".part"), "w") as file:
        json.dump({**census.take(), "port": request.META["SERVER_PORT"]}, file)
    os.rename(os.path.join(FOLDER, ".part"), os.path.join(FOLDER, ".census"))
    return HttpResponse("counted")


def broken(request):
    """Write to sockets and pipes that nobody reads any more."""
    ours, theirs = socket.socketpair()
    theirs.close()
    read, write = os.pipe()
    os.close(read)
    found = []
    for send in (lambda: ours.send(b"more"), lambda: os.write(write, b"more")):
        try:
            send()
        except BrokenPipeError:
            found.append("broken")
    ours.close()
    os.close(write)
    return JsonResponse(found, safe=False)


def spawned(request):
    """Have multiprocessing import this program again, in a process of its own."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return JsonResponse(pool.map(abs, [-1, -2]), safe=False)
'''


class May(NamedTuple):
    """A difference that may be: why, and what has to hold of it; ``ordinary`` is the census without it."""

    reason: str
    holds: Callable[[Any, Any], bool]


def contains(ordinary: list[str], other: list[str]) -> bool:
    return set(ordinary) <= set(other)


FORKED = {
    "command line": May(
        "the kernel keeps the command line of the process that was executed, and only root can change it: "
        "`sys.argv` and `sys.orig_argv` are those of an ordinary start",
        lambda ordinary, other: (
            "runserver" in ordinary and any(word.endswith("forkserver.py") for word in other)
        ),
    ),
    "variables at the start": May(
        "so it does with the variables; `os.environ`, and what C and child processes see, are those of the run",
        lambda ordinary, other: ordinary != other,
    ),
    "modules": May(
        "what the warm process has imported is what a fork does not have to import again: more of Django, and "
        "what the supervisor needs",
        contains,
    ),
    "collector's frozen objects": May(
        "objects from before the fork are frozen, so that a collection does not copy the memory that they "
        "share with other runs; they are none of a request's",
        lambda ordinary, other: (ordinary, other) == (False, True),
    ),
}
"""What a fork of a process that has imported Django has otherwise than a server from the lab's command line."""

OF_THE_LAB = {
    "prctl": May(
        "the server dies with its supervisor, so that nothing outlives a build that was killed",
        lambda ordinary, other: {**ordinary, "PDEATHSIG": signal.SIGKILL} == other,
    ),
    "sys.meta_path": May("the probe is called when a module is imported", contains),
    "descriptors": May("the probe has a file for its events, the socket of its bell, and the log", contains),
}
"""What a server from the lab's command line has otherwise than one that a shell has started."""

RANDOM = "random numbers"
"""No two processes have the same."""


def scenario(server: str, path: str = "/counted") -> Scenario:
    return Scenario(parse_sequence(f"browser: GET {path} as it"), server=server)


def site(docs: Docs) -> Profiles:
    project = read_project(docs.project(views=VIEWS, settings=SETTINGS), docs.source)
    shutil.copy(CENSUS, docs.folder / "site")
    return Profiles(projects={"default": project})


def taken(docs: Docs, folder: str) -> dict[str, Any]:
    """Return the census that a view has taken, without what no two runs have alike."""
    path = docs.folder / "site" / ".census"
    text = path.read_text("utf-8").replace(folder, "<run>")
    path.unlink()
    port = json.loads(text)["port"]
    found: dict[str, Any] = json.loads(
        re.sub(rf"\b127\.0\.0\.1:({port}|0)\b|(?<=port=){port}\b", "<port>", text)
    )
    del found["port"]
    return found


def in_lab(docs: Docs, profiles: Profiles, databases: Path, server: str, *, start: str) -> dict[str, Any]:
    """Return the census of a server that the lab starts: ``warm``, with the project ``set up``, or ``cold``."""
    wanted = scenario(server)
    with closing(Laboratory(profiles, databases, SECONDS, warm=start != "cold")) as laboratory:
        if start == "set up":
            laboratory.preload_common([wanted, wanted])
        laboratory.run(wanted)
    text = docs.folder.joinpath("site", ".census").read_text("utf-8")
    return taken(docs, json.loads(text)["variables"]["TMPDIR"])


def from_shell(docs: Docs, profiles: Profiles, server: str) -> dict[str, Any]:
    """Return the census of a server that a shell starts with the same command and variables."""
    with RunFolder() as folder, closing(Port()) as port:
        spec = RunSpec.of(scenario(server), profiles, current())
        command = ServerCommand(spec, folder.path, port.number)
        folder.write_settings(command.settings())
        argv = [word.replace("127.0.0.1:0", f"127.0.0.1:{port.number}") for word in command.argv()]
        with folder.path.joinpath("log").open("ab", buffering=0) as log:
            process = subprocess.Popen(
                argv,
                env=command.environ(),
                cwd=spec.project.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=as_from_a_terminal,  # noqa: PLW1509 - no other thread runs here
            )
        try:
            ask(f"http://127.0.0.1:{port.number}/counted", process)
            return taken(docs, str(folder.path))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def as_from_a_terminal() -> None:
    """Ignore no signal, whatever ignores some where the tests run."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if number < signal.SIGRTMIN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def ask(url: str, process: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with suppress(OSError), urlopen(url, timeout=SECONDS) as response:
            assert response.read() == b"counted"
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing answers at {url}; the server's status is {process.poll()}")


def differences(
    ordinary: Mapping[str, Any], other: Mapping[str, Any], may: Mapping[str, May]
) -> dict[str, tuple[Any, Any]]:
    """Return the parts that differ and may not, with what each census says of them."""
    return {
        part: (ordinary.get(part), other.get(part))
        for part in {**ordinary, **other}
        if part != RANDOM and NOT_ASKED not in (ordinary.get(part), other.get(part))
        if ordinary.get(part) != other.get(part)
        if part not in may or not may[part].holds(ordinary[part], other[part])
    }


@pytest.fixture(scope="module")
def censuses(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """Censuses of one server, by how it was started."""
    with documentation(tmp_path_factory.mktemp("census") / "docs", databases) as docs:
        profiles = site(docs)
        found = {
            start: in_lab(docs, profiles, databases, SERVER, start=start)
            for start in ("warm", "set up", "cold")
        }
        yield {**found, "shell": from_shell(docs, profiles, SERVER)}


@pytest.mark.parametrize("start", ["warm", "set up"])
def test_a_forked_server_is_one_from_the_command_line(
    censuses: Mapping[str, Mapping[str, Any]], start: str
) -> None:
    assert differences(censuses["cold"], censuses[start], FORKED) == {}


def test_a_server_of_the_lab_is_one_that_a_shell_starts(censuses: Mapping[str, Mapping[str, Any]]) -> None:
    assert differences(censuses["shell"], censuses["cold"], OF_THE_LAB) == {}


def test_no_two_servers_draw_the_same_random_numbers(censuses: Mapping[str, Mapping[str, Any]]) -> None:
    assert len({census[RANDOM] for census in censuses.values()}) == len(censuses)


def test_every_difference_that_may_be_is_one(censuses: Mapping[str, Mapping[str, Any]]) -> None:
    """A table that allows more than there is would hide what comes to differ."""
    cold, shell = censuses["cold"], censuses["shell"]
    assert {part for part in FORKED if cold[part] == censuses["warm"][part]} == set()
    assert {part for part in OF_THE_LAB if cold[part] == shell[part]} == set()


# A shell of root's cannot start a server that refuses root: the lab starts it in a user namespace.
@pytest.mark.exhaustive
@pytest.mark.parametrize("server", [name for name, server in SERVERS.items() if not server.refuses_root])
def test_every_server_of_the_lab_is_one_that_a_shell_starts(docs: Docs, databases: Path, server: str) -> None:
    try:
        check_installed(server, SERVERS[server], current())
    except AbsentError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(error.message)
    profiles = site(docs)
    shell = from_shell(docs, profiles, server)
    for start in ("cold", "warm"):
        census = in_lab(docs, profiles, databases, server, start=start)
        forked = census["command line"] != shell["command line"]
        assert differences(shell, census, {**OF_THE_LAB, **(FORKED if forked else {})}) == {}


@pytest.mark.parametrize("start", ["warm", "set up", "cold"])
def test_a_view_can_write_to_what_nobody_reads_and_start_processes(
    docs: Docs, databases: Path, start: str
) -> None:
    steps = "browser: GET /broken -> 200 as broken\nbrowser: GET /spawned -> 200 as spawned"
    wanted = Scenario(parse_sequence(steps))
    with closing(Laboratory(site(docs), databases, SECONDS, warm=start != "cold")) as laboratory:
        if start == "set up":
            laboratory.preload_common([wanted, wanted])
        requests = laboratory.run(wanted).runs[0].entities.requests
    assert [request.json for request in requests.values()] == [["broken", "broken"], [1, 2]]


@pytest.mark.exhaustive
def test_variables_that_python_reads_when_it_starts_count_for_a_server_that_is_given_them(
    docs: Docs, databases: Path
) -> None:
    env = (("PYTHONHASHSEED", "7"), ("PYTHONOPTIMIZE", "1"), ("TZ", "Asia/Tokyo"))
    server = Server(SERVERS["runserver"].command, env=env)
    profiles = Profiles(projects=site(docs).projects, servers={**SERVERS, "runserver": server})
    warm, cold = (in_lab(docs, profiles, databases, "runserver", start=start) for start in ("warm", "cold"))
    assert "optimize=1" in warm["sys.flags"]
    assert differences(cold, warm, {}) == {}
