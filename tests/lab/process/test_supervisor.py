"""The supervisor, without the lab: it outlives nothing, whenever the lab is gone."""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import sphinx_djconn.lab

SUPERVISOR = Path(sphinx_djconn.lab.__file__).parent / "process" / "inside" / "supervisor.py"
TIME = 10.0


class Supervised:
    """A supervisor, the lab's end of its socket, and the folder that it was told of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unread = b""
        self.lab, theirs = socket.socketpair()
        self.lab.settimeout(TIME)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR)], stdin=theirs.fileno(), stdout=theirs.fileno()
            )
        self.tell(json.dumps({"folder": str(folder)}))

    def tell(self, line: str) -> None:
        self.lab.sendall(line.encode() + b"\n")

    def start(self, *argv: str, seconds: float = 60, log_limit: int = 1 << 20) -> None:
        self.folder.mkdir(exist_ok=True)
        spec = {"argv": argv, "env": {"PATH": "/bin:/usr/bin"}, "cwd": str(self.folder)}
        more = {"log": str(self.folder / "log"), "log_limit": log_limit, "seconds": seconds}
        self.tell(json.dumps({**spec, **more}))

    def report(self) -> dict[str, int]:
        """Return its next report; an empty one at its end."""
        while b"\n" not in self.unread:
            received = self.lab.recv(4096)
            if not received:
                return {}
            self.unread += received
        line, self.unread = self.unread.split(b"\n", 1)
        found: dict[str, int] = json.loads(line)
        return found

    def reports(self) -> list[str]:
        """Return the names of what it reports until its end."""
        return [next(iter(report)) for report in iter(self.report, {})]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    supervised = Supervised(tmp_path / "folder")
    yield supervised
    supervised.lab.close()
    supervised.process.wait(TIME)


@pytest.mark.parametrize("read", [True, False])
def test_when_the_lab_is_gone_it_ends_the_server_and_removes_the_folder(
    supervised: Supervised, read: bool
) -> None:
    supervised.start("sleep", "60")
    assert select.select([supervised.lab], [], [], TIME)[0]
    if read:  # else the kernel tells of the end by an error, since something was left unread
        supervised.lab.recv(4096)
    (server,) = supervised.children()
    supervised.lab.close()
    assert supervised.process.wait(TIME) == 0
    assert not server.is_running()
    assert not supervised.folder.exists()


def test_when_the_lab_is_gone_before_it_said_what_to_start_the_folder_is_removed(
    supervised: Supervised,
) -> None:
    supervised.folder.mkdir()
    supervised.folder.joinpath("file").write_text("text")
    supervised.lab.close()
    assert supervised.process.wait(TIME) == 0
    assert not supervised.folder.exists()


def test_when_the_server_ends_by_itself_its_status_is_told_and_the_folder_stays(
    supervised: Supervised,
) -> None:
    supervised.start("sh", "-c", "exit 3")
    assert supervised.report()["pid"] > 0
    assert supervised.report() == {"exit": 3}
    supervised.tell("kill")
    assert supervised.reports() == ["gone"]
    assert supervised.folder.exists()


@pytest.mark.parametrize(
    ("script", "told", "expected"),
    [
        ("sleep 60", "stop 5", ["pid", "exit", "gone"]),
        ("trap '' TERM; sleep 60 & wait; sleep 60", "stop 0.3", ["pid", "stubborn", "gone"]),
        ("sleep 60", "kill", ["pid", "gone"]),
        ("(setsid sleep 60 &) ; sleep 60", "stop 5", ["pid", "exit", "gone"]),
        ("(setsid sleep 60 &) ; exit 0", "stop 5", ["pid", "exit", "gone"]),
    ],
)
def test_it_reports_how_the_server_ended(
    supervised: Supervised, script: str, told: str, expected: list[str]
) -> None:
    supervised.start("sh", "-c", script)
    limit = time.monotonic() + TIME
    left: list[psutil.Process] = []
    while "sleep" not in [each.name() for each in left]:
        assert time.monotonic() < limit
        time.sleep(0.02)
        left = supervised.children()
    supervised.tell(told)
    reports = supervised.reports()
    assert sorted(set(reports) - {"exit"}) == sorted(set(expected) - {"exit"})
    assert not [each for each in left if each.is_running()]


def test_a_server_that_writes_too_much_is_ended(supervised: Supervised) -> None:
    supervised.start("yes", log_limit=1000)
    assert "flood" in supervised.reports()


def test_a_server_that_takes_too_long_is_ended(supervised: Supervised) -> None:
    supervised.start("sleep", "60", seconds=0.3)
    assert "late" in supervised.reports()


def test_what_cannot_be_executed_says_so_in_the_log(supervised: Supervised) -> None:
    supervised.start("/nowhere/server")
    assert "pid" in supervised.report()
    assert supervised.report() == {"exit": 127}
    assert supervised.folder.joinpath("log").read_text() == "/nowhere/server: No such file or directory\n"


def wait_for(supervised: Supervised, name: str) -> list[psutil.Process]:
    limit = time.monotonic() + TIME
    while True:
        found = supervised.children()
        if name in [each.name() for each in found]:
            return found
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("script", ["sleep 60", "(setsid sleep 60 &) ; sleep 60"])
def test_a_server_that_removes_its_folder_ends_with_the_lab(supervised: Supervised, script: str) -> None:
    supervised.start("sh", "-c", f"rm -rf {supervised.folder}; {script}")
    left = wait_for(supervised, "sleep")
    time.sleep(0.2)  # it looks at the log meanwhile
    assert not supervised.folder.exists()
    assert supervised.process.poll() is None
    supervised.lab.close()
    assert supervised.process.wait(TIME) == 0
    assert not [each for each in left if each.is_running()]


def test_a_server_whose_folder_is_gone_before_it_starts_is_told(supervised: Supervised) -> None:
    spec = {"argv": ["sleep", "60"], "env": {}, "cwd": "/", "log": "/nowhere/log", "log_limit": 1, "seconds": 9}
    supervised.tell(json.dumps(spec))
    assert "/nowhere/log" in str(supervised.report()["error"])
    assert supervised.reports() == ["gone"]


def test_a_command_that_nobody_knows_leaves_nothing_running(supervised: Supervised) -> None:
    supervised.start("sleep", "60")
    left = wait_for(supervised, "sleep")
    supervised.tell("stop soon")
    supervised.process.wait(TIME)
    assert not [each for each in left if each.is_running()]
