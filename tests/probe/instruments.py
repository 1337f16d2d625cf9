"""What the tests look at servers with: a sink for the probe's events, and /proc, which needs no probe."""

import http.client
import itertools
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sphinx_djconn.lab.events.reader import EventReader, WakeFlag
from sphinx_djconn.trace.events import decode, in_order
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace

ROOT = Path(__file__).parents[2]
ATTACH = ROOT / "sphinx_djconn" / "probe" / "attach"
SITE = Path(__file__).parent / "site"
DEMO_SITE = ROOT / "demo_site"
HEADER = "X-Djconn-Request"
PYTHON = os.environ.get("DJCONN_TEST_PYTHON", sys.executable)
"""The interpreter that the probe runs in, where that is not the tests' own."""


DEADLINE = 30  # seconds; for a machine that is busy with other things
QUIET = 0.03  # seconds without a sign of life of a server that has nothing more to do
LISTENING = "0A"  # in /proc/net/tcp
PROBES = 200  # the probe's own descriptors have numbers from here on


def until(test, what):
    """Return what ``test()`` returns once that is true."""
    limit = time.monotonic() + DEADLINE
    while not (value := test()):
        assert time.monotonic() < limit, f"waited in vain for {what}"
        time.sleep(0.002)
    return value


def environment(**variables):
    """Return the environment of a server: nothing of another project, and the site to be found."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "DJCONN_", "PYTHON"))
    }
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join([str(SITE), str(DEMO_SITE)]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "probed_settings",
        **{name: str(value) for name, value in variables.items()},
    }


def attached(variables, address):
    """Return ``variables`` with the probe in front, as the lab has it."""
    search = os.pathsep.join(filter(None, [str(ATTACH), variables.get("PYTHONPATH")]))
    return {**variables, "PYTHONPATH": search, "DJCONN_SOCKET": str(address)}


def trace_of(events):
    """Return the trace of events as they crossed the wire."""
    return Trace(in_order(map(decode, events)))


class Sink:
    """Reads the probe's events, as the lab's feed does, and lets every meeting go on at once.

    It waits all the time: every event rings.
    """

    def __init__(self, folder):
        self.address = folder / "s"
        self.events = []
        self.meetings = []
        self.changed = threading.Condition()
        self.closed = False
        self._reading = threading.Event()
        self._reading.set()
        self._drained = threading.Event()
        self._processes = itertools.count(1)
        self._sources = []
        self._bell = WakeFlag(str(self.address))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.address))
        self._listener.listen()
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for each in (self._listener, self._woken):
            self._selector.register(each, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self.closed:
            ready = [key for key, _ in self._selector.select()]
            if any(key.fileobj is self._woken for key in ready):
                self._woken.recv(1)
                while heard := [key for key, _ in self._selector.select(0) if key.fileobj is not self._woken]:
                    self._hear_all(heard)
                self._collect()
                self._drained.set()
            else:
                self._hear_all(ready)

    def _hear_all(self, ready):
        self._reading.wait()
        for key in ready:
            if key.fileobj is self._listener:
                connection, _ = self._listener.accept()
                self._sources.append(EventReader(connection, next(self._processes)))
                self._selector.register(connection, selectors.EVENT_READ, self._sources[-1])
            else:
                self._hear(key.fileobj, key.data)
        self._collect()

    def _collect(self):
        self._bell.set(waits=True)
        told = [{**event, "p": source.process} for source in self._sources for event in source.events()]
        for event in sorted(told, key=lambda event: event["t"]):
            self._add(event)

    def drain(self):
        """Return when all was read that was written before this call."""
        self._drained.clear()
        self._wake.send(b"d")
        assert self._drained.wait(DEADLINE)

    def _hear(self, connection, source):
        messages = source.messages()
        for message in messages or ():
            if message["k"] == "file":
                source.open(self.address.parent, message)
            elif message["k"] == "meet":
                self.meetings.append((message["r"], message["at"]))
                connection.send(b"!")
            else:
                self._add({**message, "p": source.process})
        if messages is None:
            self._collect()
            self._selector.unregister(connection)
            self._sources.remove(source)
            source.close()
            self._add({"t": time.monotonic_ns(), "k": "process.exit", "p": source.process})

    def _add(self, event):
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def wait(self, test, what="an event"):
        """Return what ``test()`` returns once that is true of the events."""
        with self.changed:
            assert self.changed.wait_for(test, DEADLINE), f"waited in vain for {what}: {self.events}"
            return test()

    def count(self, kind):
        """Return how many events of ``kind`` there were."""
        return sum(event["k"] == kind for event in self.events)

    def trace(self):
        """Return the trace of what was told so far."""
        with self.changed:
            return trace_of(self.events)

    def figures(self):
        """Return the facts of what was told so far."""
        return facts_of(self.trace()).figures

    @contextmanager
    def not_reading(self):
        """Let the probe's events pile up for a while."""
        self.drain()
        self._reading.clear()
        try:
            yield
        finally:
            self._reading.set()

    def close(self):
        """Go away, as a lab does that was killed."""
        self.closed = True
        self._wake.send(b"q")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        for source in self._sources:
            source.close()
        self._selector.close()
        self._wake.close()
        self._bell.close()
        self.address.unlink()


class Look(NamedTuple):
    """What /proc tells of a process: kinds of descriptors by number, and how many tasks it has."""

    files: dict
    tasks: int

    @property
    def databases(self):
        """How many descriptors are open on SQLite files."""
        return sum(kind.endswith(".sqlite3") for kind in self.files.values())

    @property
    def own(self):
        """The descriptors by number, without the probe's."""
        return {number: kind for number, kind in self.files.items() if number < PROBES}


class Process:
    """A process, seen through /proc."""

    def __init__(self, pid):
        self.pid = pid
        self.folder = Path(f"/proc/{pid}")

    def look(self):
        """Return what is there once the process has come to rest."""
        self.rest()
        kinds = {number: path.name.partition(":")[0] for number, path in self.files().items()}
        return Look(kinds, len(self.tasks()))

    def files(self):
        """Return what is open, by number: paths of files, ``socket:[inode]`` and the like."""
        found = {}
        for path in (self.folder / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed between two looks
                found[int(path.name)] = path.readlink()
        return found

    def tasks(self):
        return [int(path.name) for path in (self.folder / "task").iterdir()]

    def rest(self):
        """Wait until no task has run for a while."""
        limit = time.monotonic() + DEADLINE
        seen, since = None, 0.0
        while seen is None or time.monotonic() - since < QUIET:
            assert time.monotonic() < limit, "the server never comes to rest"
            if (activity := self._activity()) is None or activity != seen:
                seen, since = activity, time.monotonic()
            time.sleep(0.003)

    def _activity(self):
        counts = {}
        try:
            for task in (self.folder / "task").iterdir():
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                if state in "RDZX":
                    return None
                counts[task.name] = (task / "schedstat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # a task that ended between two looks
            return None
        return counts

    def cpu_seconds(self):
        fields = (self.folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Visit(NamedTuple):
    """A request's number, its answer, and what the probe told of it."""

    number: int
    status: int
    text: str
    events: list

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def kinds(self):
        """The kinds of the events, without views, and wrappers: before Django 4.1 there is one more."""
        left_out = ("db.wrapper", "request.view", "request.view.end")
        return [event["k"] for event in self.events if event["k"] not in left_out]

    def told(self, kind):
        """Return the events of ``kind``."""
        return [event for event in self.events if event["k"] == kind]

    def count(self, kind):
        return len(self.told(kind))


class Client:
    """One HTTP connection to a server."""

    def __init__(self, server):
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        self._connection.connect()

    @property
    def socket(self):
        return self._connection.sock

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    def send(self, path, *more):
        """Send a request and return its number; ``more`` words follow that in the header."""
        number = next(self.server.numbers)
        header = " ".join([str(number), *more])
        self._connection.request("GET", path, headers={HEADER: header})
        # Else the kernel waits 40 ms before it acknowledges what runserver writes first.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return number

    def receive(self, number):
        """Read the response; with a probe, return what it told up to the end of the request."""
        status, text = self.read()
        return Visit(number, status, text, self.server.events_of(number))

    def read(self):
        """Read the response and no more; return its status and its body."""
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def get(self, path):
        """Send a request and read its response."""
        return self.receive(self.send(path))


class Server(Process):
    """The development server on the site of the tests; with the probe where there is a ``sink``."""

    def __init__(self, folder, sink=None, arguments=(), **variables):
        self.sink = sink
        self.numbers = itertools.count(1)
        self.log = folder / "log"
        command = ("django", "runserver", "--noreload", "127.0.0.1:0", *arguments)
        variables = environment(PROBED_FOLDER=folder, **variables)
        if sink is not None:
            variables = attached(variables, sink.address)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", *command],
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        super().__init__(self.process.pid)
        self.port = 0

    def __enter__(self):
        """Wait until it listens, on the port that the kernel chose."""
        try:
            self.port = until(self._listening, "runserver to listen")
            self.rest()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _listening(self):
        """Return the port of its listening socket, as the kernel's own table has it."""
        assert self.process.poll() is None, f"runserver has ended: {self.log.read_text()}"
        own = set(map(str, self.files().values()))
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == LISTENING and f"socket:[{inode}]" in own:
                return int(address.rpartition(":")[2], 16)
        return 0

    def look(self):
        """Return what is there once the process has come to rest, and all that it told was read."""
        look = super().look()
        if self.sink is not None:
            self.sink.drain()
        return look

    def get(self, path):
        """Send a request over a connection of its own, and wait until its thread has ended."""
        tasks = set(self.tasks())
        with Client(self) as client:
            visit = client.get(path)
        until(lambda: not set(self.tasks()) - tasks, "the end of the connection's thread")
        return visit

    def ended(self, number):
        """Return whether the end of a request was told."""
        return any(event["k"] == "request.end" and event.get("r") == number for event in self.sink.events)

    def events_of(self, number):
        if self.sink is None:
            return []
        self.sink.wait(lambda: self.ended(number), f"the end of request {number}")
        return [event for event in self.sink.events if event.get("r") == number]


def copy_databases(prepared, folder):
    """Give a server databases of its own."""
    for path in prepared.glob("*.sqlite3"):
        shutil.copyfile(path, folder / path.name)
