"""One run: a server of its own, in processes of its own, in a folder of its own."""

import errno
import json
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.command import ServerCommand
from sphinx_djconn.lab.databases.in_files import FileDatabases, RunFolder
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import FloodError, RunError
from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.events.sanitizer import LineCounter, Sanitizer
from sphinx_djconn.lab.inputs.machine import Machine
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher, SupervisedProcess, tail
from sphinx_djconn.lab.process.port import Port
from sphinx_djconn.lab.process.temporary import end_processes_of
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.lab.profiles.profiles import Profiles, Project
from sphinx_djconn.lab.steps.player import Player
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.events import Event, decode, in_order
from sphinx_djconn.trace.reading import Trace

if TYPE_CHECKING:
    from sphinx_djconn.lab.databases.on_server import DatabaseServers, ServerDatabases

_TAIL: Final = 20
"""Lines of the server's log that an error carries."""

_FOREIGN: Final = frozenset({"response", "thread.start"})
"""Kinds of events that hold texts of the project's: bodies of responses, names of threads."""

_GRACE: Final = 1.0
"""Seconds that the supervisor leaves the lab after the time limit, to end the run in order."""


class Run:
    """One execution of ``scenario`` in ``environment``.

    ``notes`` is what a warning should say of it; ``inputs`` is what it used, once it is over.
    """

    def __init__(
        self,
        scenario: Scenario,
        profiles: Profiles,
        environment: Environment,
        databases: "FileDatabases | DatabaseServers",
        launcher: Launcher,
        interruption: Cancellation,
        seconds: float,
        machine: Machine,
    ) -> None:
        self.notes: list[str] = []
        self.inputs: list[Inputs] = []
        self._scenario = scenario
        self._profiles = profiles
        self._environment = environment
        self._databases = databases
        self._launcher = launcher
        self._interruption = interruption
        self._seconds = seconds
        self._machine = machine

    def execute(self) -> Trace:
        """Run the server, play the sequence, and return the trace.

        Raises :class:`RunError` where the run did not come to its end, and ``Cancelled``. In each case
        nothing of the run is left: no process, no file.
        """
        self._interruption.check()
        try:
            folder = RunFolder()
            with ExitStack() as stack:
                databases, prepared = None, None
                if isinstance(self._databases, FileDatabases):
                    project = self._profiles.projects[self._scenario.project]
                    prepared = self._databases.prepared(
                        project, self._environment, self._launcher, self._interruption
                    )
                else:
                    databases = stack.enter_context(
                        self._databases.of_run(
                            self._scenario,
                            self._profiles,
                            self._environment,
                            self._launcher,
                            self._interruption,
                        )
                    )
                port = stack.enter_context(closing(Port())) if self._is_given_its_port() else None
                starting = ServerCommand(
                    self._scenario,
                    self._profiles,
                    self._environment,
                    folder.path,
                    None if port is None else port.number,
                    databases,
                )
                process = self._launcher.supervise(
                    starting.argv(), folder.path, starting.like(), env=starting.environ()
                )
                stack.enter_context(closing(process))
                stack.enter_context(folder)
                if prepared is not None:
                    folder.take(prepared.folder)
                    self.inputs.append(prepared.inputs)
                if databases is not None:
                    self.inputs.extend(databases.inputs)
                return self._serve(folder, starting, process, port, databases)
        except OSError as error:
            raise RunError(_not_possible(error)) from error

    def _serve(
        self,
        folder: RunFolder,
        starting: ServerCommand,
        process: SupervisedProcess,
        port: Port | None,
        databases: "ServerDatabases | None",
    ) -> Trace:
        server, project = starting.server, starting.project
        feed = EventCollector(folder.path, time.monotonic() + self._seconds)
        if self._scenario.garbage_collection == "each-request":
            feed.state.end_of_request = "request.collected"
        try:
            folder.tell(starting.settings())
            process.start(
                env=starting.environ(),
                cwd=project.path,
                seconds=self._seconds + _GRACE,
                log_limit=server.log_limit,
            )
            feed.add_supervisor(process.reports)
            room = self._profiles.databases[self._scenario.database].room
            feed.emit("collector", mode=self._scenario.garbage_collection, **({"room": room} if room else {}))
            player = Player(feed, folder.path / "djconn_reload.py", port, databases)
            try:
                with self._interruption.ends(feed.cancel), self._interruption.ends(process.kill):
                    player.play(self._scenario.sequence)
                    if not folder.is_whole:
                        raise _removed()
                    events, log = list(feed.state.events), _whole(process.log, server.log_limit)
                    player.close()  # many servers wait for the clients that they have
                    process.terminate(server.stop_seconds)
                    feed.wait(
                        lambda: "gone" in feed.reports,
                        "the server to end",
                        server_must_run=False,
                        seconds=server.stop_seconds + _GRACE,
                    )
            except RunError as error:
                sanitizer = self._sanitizer(folder, project, databases)
                error = error if folder.is_whole else _removed(error)
                raise _explained(error, sanitizer, starting, feed, process.log) from error
            finally:
                process.end()  # and not its reports, which the feed reads
                player.close()
                if feed.supervisor_is_lost(_GRACE):
                    end_processes_of(folder.path)
        finally:
            feed.close()
        self.inputs.append(self._machine.inputs(folder.records(), folder.path))
        if "stubborn" in feed.reports:
            self.notes.append(
                f"the server did not end within {server.stop_seconds:g} seconds of SIGTERM and was "
                "killed; the run is complete, but find out what holds it up, or raise "
                "`stop_seconds` of its profile in `djconn_servers`"
            )
        trace = self._trace(events, log, self._sanitizer(folder, project, databases), starting, databases)
        self.notes += [imbalance.message for imbalance in trace.imbalances]
        return trace

    def _is_given_its_port(self) -> bool:
        return self._profiles.servers[self._scenario.server].is_given_its_port

    def _sanitizer(self, folder: RunFolder, project: Project, databases: "ServerDatabases | None") -> Sanitizer:
        env = (*self._profiles.servers[self._scenario.server].env, *project.env)
        places = {**self._environment.path_labels, project.path: "<project>", folder.path: "<run>"}
        if databases is None:
            return Sanitizer(places, folder.secrets(), env)
        return Sanitizer(places, [*folder.secrets(), *databases.secrets], env, databases.shown)

    def _trace(
        self,
        wire: list[dict[str, Any]],
        log: bytes,
        sanitizer: Sanitizer,
        starting: ServerCommand,
        databases: "ServerDatabases | None",
    ) -> Trace:
        """Return the trace of what was heard up to the end of the sequence."""
        line_of = LineCounter(log)
        end = next(event["t"] for event in reversed(wire) if event["k"] == "end")
        events = in_order(
            event._replace(log=line_of(event.log)) for event in map(decode, wire) if event.at <= end
        )
        pids = [event.data["pid"] for event in events if event.kind == "process.start"]
        events = tuple(_without_secrets(event, sanitizer) for event in events)
        lines = sanitizer.lines(log, _ports(wire, starting), pids)
        settings = self._settings(events, starting, databases)
        return Trace(events, lines, {name: sanitizer.text(text) for name, text in settings.items()})

    def _settings(
        self, events: tuple[Event, ...], starting: ServerCommand, databases: "ServerDatabases | None"
    ) -> dict[str, str]:
        """Return what the server was started with, as the pages show it."""
        first = {event.kind: event.data for event in reversed(events)}
        django = str(first.get("django", {}).get("version", "?"))
        python = str(first.get("process.start", {}).get("python", "?"))
        environment = self._environment
        _check_versions(environment, django, python)
        shown = {} if environment.is_current else {"Environment": environment.name}
        if environment.unsupported:
            python += f", which Django {django} does not support"
        database = self._profiles.databases[self._scenario.database]
        shown |= {
            "Django": django,
            "Python": python,
            "Server": self._scenario.server,
            "Command": starting.shown(),
            "Database": database.title,
        }
        if databases is not None:
            shown |= _of_server(database, databases.label)
        wrapper = first.get("db.wrapper", {})
        if wrapper:
            shown["CONN_MAX_AGE"] = json.dumps(wrapper["max_age"]).replace("null", "None")
            shown["CONN_HEALTH_CHECKS"] = str(wrapper["health_checks"])
        shown["Garbage collection"] = self._scenario.garbage_collection
        return shown


def _check_versions(environment: Environment, django: str, python: str) -> None:
    """Refuse what ran elsewhere than in ``environment``: a program on the PATH may be another one's."""
    if environment.is_current or python == "?":
        return
    expected = environment.installed.version("django")
    if python != environment.version or (expected and django not in ("?", expected)):
        raise RunError(
            f"the server ran Django {django} with Python {python}, and the environment `{environment.name}` "
            f"has Django {expected} and Python {environment.version}; name what its program comes from with "
            "'requires' in `djconn_servers`"
        )


def _explained(
    error: RunError, sanitizer: Sanitizer, starting: ServerCommand, feed: EventCollector, log: Path
) -> RunError:
    """Return ``error`` with the end of the server's log."""
    lines = sanitizer.lines(tail(log), _ports(feed.state.events, starting), feed.state.pids.values())
    return type(error)(error.message, lines[-_TAIL:], error.line)


def _removed(error: RunError | None = None) -> RunError:
    """Return the error of a run whose folder was removed, and what that ended in."""
    result = "" if error is None else f"; then {error.message}"
    return RunError(
        "the folder of the run was removed while it went on: by the project, for which it is the folder for "
        f"temporary files (TMPDIR), or by a program that cleans up; remove files there one by one{result}",
        line=None if error is None else error.line,
    )


def _whole(log: Path, limit: int) -> bytes:
    """Return what the server has written; raise :class:`FloodError` where that is more than it may."""
    if log.stat().st_size > limit:
        raise FloodError
    return log.read_bytes()


def _not_possible(error: OSError) -> str:
    advice = (
        "run fewer scenarios at once (`djconn_jobs`)"
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
        else "see that the system's folder for temporary files (TMPDIR) has room and can be written"
    )
    return f"the run could not go on: {error.strerror or type(error).__name__}; {advice}"


def _ports(wire: list[dict[str, Any]], starting: ServerCommand) -> list[int]:
    held = [] if starting.port is None else [starting.port]
    return held + [event["port"] for event in wire if event["k"] in ("listening", "http.open")]


def _without_secrets(event: Event, sanitizer: Sanitizer) -> Event:
    """Return ``event`` with nothing of the project's that a page must not show."""
    if event.kind not in _FOREIGN:
        return event
    data = dict(event.data)
    lost = list(data.pop("unknown", ()))
    for name, value in data.items():
        data[name], masked = sanitizer.value(value)
        lost += masked if name == "json" else ()
    return event._replace(data={**data, "unknown": lost} if lost else data)


def _of_server(database: Database, label: str) -> dict[str, str]:
    """Return what a page shows of the server that has the database."""
    shown = {"Database": label}
    if database.options:
        shown["OPTIONS"] = json.dumps(database.options)
    if database.max_connections is not None:
        shown["max_connections"] = str(database.max_connections)
    return shown | dict(database.server_settings)
