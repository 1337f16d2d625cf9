"""One run: a server of its own, in processes of its own, in a folder of its own."""

import errno
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.errors import FloodError, RunError
from sphinx_djconn.lab.feed import Feed
from sphinx_djconn.lab.interruption import Interruption
from sphinx_djconn.lab.logs import LineCounter, Sanitizer
from sphinx_djconn.lab.player import Player
from sphinx_djconn.lab.process import Launcher, SupervisedProcess, tail
from sphinx_djconn.lab.profiles import Profiles, Project, Server
from sphinx_djconn.lab.projects import PLACE, Databases, Folder, settings_in, variables_in
from sphinx_djconn.scenario import PROJECT_DEFAULT, Scenario
from sphinx_djconn.trace import Event, Trace
from sphinx_djconn.trace.events import decode, in_order

_TAIL: Final = 20
"""Lines of the server's log that an error carries."""

_FOREIGN: Final = frozenset({"response", "thread.start"})
"""Kinds of events that hold texts of the project's: bodies of responses, names of threads."""

_GRACE: Final = 1.0
"""Seconds that the supervisor leaves the lab after the time limit, to end the run in order."""


class Run:
    """One execution of ``scenario``. ``notes`` is what a warning should say of it."""

    def __init__(
        self,
        scenario: Scenario,
        profiles: Profiles,
        databases: Databases,
        launcher: Launcher,
        interruption: Interruption,
        seconds: float,
    ) -> None:
        self.notes: list[str] = []
        self._scenario = scenario
        self._profiles = profiles
        self._databases = databases
        self._launcher = launcher
        self._interruption = interruption
        self._seconds = seconds

    def execute(self) -> Trace:
        """Run the server, play the sequence, and return the trace.

        Raises :class:`RunError` where the run did not come to its end, and ``Cancelled``. In each case
        nothing of the run is left: no process, no file.
        """
        self._interruption.check()
        project = self._profiles.projects[self._scenario.project]
        try:
            prepared = self._databases.prepared(project, self._launcher, self._interruption)
            folder = Folder()
            argv, like = command(self._scenario, self._profiles), like_it(self._scenario, self._profiles)
            with closing(self._launcher.supervise(argv, folder.path, like)) as process, folder:
                folder.take(prepared)
                return self._serve(folder, project, process)
        except OSError as error:
            raise RunError(_not_possible(error)) from error

    def _serve(self, folder: Folder, project: Project, process: SupervisedProcess) -> Trace:
        server = self._profiles.servers[self._scenario.server]
        feed = Feed(folder.path, time.monotonic() + self._seconds)
        try:
            self._start(folder, project, server, process)
            feed.add_supervisor(process.reports)
            player = Player(feed, folder.path / "djconn_reload.py")
            try:
                with self._interruption.ends(feed.cancel), self._interruption.ends(process.kill):
                    player.play(self._scenario.sequence)
                    events, log = list(feed.events), _whole(process.log, server.log_limit)
                    process.terminate(server.stop_seconds)
                    feed.wait(
                        lambda: "gone" in feed.reports,
                        "the server to end",
                        alive=False,
                        seconds=server.stop_seconds + _GRACE,
                    )
            except RunError as error:
                raise self._explained(error, folder, project, feed, process.log) from error
            finally:
                process.close()
                player.close()
        finally:
            feed.close()
        if "stubborn" in feed.reports:
            self.notes.append(
                f"the server did not end within {server.stop_seconds:g} seconds of SIGTERM and was "
                "killed; the run is complete, but find out what holds it up, or raise "
                "`stop_seconds` of its profile in `djconn_servers`"
            )
        return self._trace(events, log, self._sanitizer(folder, project), server)

    def _start(self, folder: Folder, project: Project, server: Server, process: SupervisedProcess) -> None:
        process.start(
            env=folder.environ(project, _overrides(self._scenario), probe=True) | dict(server.env),
            cwd=project.path,
            seconds=self._seconds + _GRACE,
            log_limit=server.log_limit,
        )

    def _sanitizer(self, folder: Folder, project: Project) -> Sanitizer:
        env = self._profiles.servers[self._scenario.server].env
        return Sanitizer({project.path: "<project>", folder.path: "<run>"}, folder.secrets(), env)

    def _explained(self, error: RunError, folder: Folder, project: Project, feed: Feed, log: Path) -> RunError:
        """Return ``error`` with the end of the server's log."""
        sanitizer = self._sanitizer(folder, project)
        lines = sanitizer.lines(tail(log), _ports(feed.events), feed.pids.values())
        return type(error)(error.message, lines[-_TAIL:], error.line)

    def _trace(self, wire: list[dict[str, Any]], log: bytes, sanitizer: Sanitizer, server: Server) -> Trace:
        """Return the trace of what was heard up to the end of the sequence."""
        line_of = LineCounter(log)
        end = next(event["t"] for event in reversed(wire) if event["k"] == "end")
        events = in_order(
            event._replace(log=line_of(event.log)) for event in map(decode, wire) if event.at <= end
        )
        pids = [event.data["pid"] for event in events if event.kind == "process.start"]
        events = tuple(_without_secrets(event, sanitizer) for event in events)
        lines = sanitizer.lines(log, _ports(wire), pids)
        settings = _settings(self._scenario, self._profiles, events, server)
        return Trace(events, lines, {name: sanitizer.text(text) for name, text in settings.items()})


def command(scenario: Scenario, profiles: Profiles) -> list[str]:
    """Return the command that starts the server of ``scenario``."""
    python = profiles.environments[scenario.environment].python
    return [word.replace("{python}", python) for word in profiles.servers[scenario.server].command]


def like_it(scenario: Scenario, profiles: Profiles) -> str:
    """Return what the starts of all servers have in common that can be set up as ``scenario``'s can."""
    project, server = profiles.projects[scenario.project], profiles.servers[scenario.server]
    like = {
        "argv": command(scenario, profiles),
        "env": variables_in(PLACE, project, probe=True) | dict(server.env),
        "cwd": str(project.path),
        "settings": settings_in(PLACE, project, _overrides(scenario)),
    }
    return json.dumps(like, sort_keys=True)


def _overrides(scenario: Scenario) -> dict[str, Any]:
    """Return the settings of every database that ``scenario`` has of its own."""
    overrides: dict[str, Any] = {}
    if scenario.conn_max_age != PROJECT_DEFAULT:
        overrides["conn_max_age"] = scenario.conn_max_age
    if scenario.conn_health_checks is not None:
        overrides["conn_health_checks"] = scenario.conn_health_checks
    return overrides


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
    return f"the run could not go on: {error.strerror}; {advice}"


def _ports(wire: list[dict[str, Any]]) -> list[int]:
    return [event["port"] for event in wire if event["k"] in ("listening", "http.open")]


def _without_secrets(event: Event, sanitizer: Sanitizer) -> Event:
    """Return ``event`` with nothing of the project's that a page must not show."""
    if event.kind not in _FOREIGN:
        return event
    return event._replace(data={name: sanitizer.value(value) for name, value in event.data.items()})


def _settings(
    scenario: Scenario, profiles: Profiles, events: tuple[Event, ...], server: Server
) -> dict[str, str]:
    """Return what the server was started with, as the pages show it."""
    first = {event.kind: event.data for event in reversed(events)}
    wrapper = first.get("db.wrapper", {})
    words = ("python" if word == "{python}" else word for word in server.command)
    shown = {
        "Django": str(first.get("django", {}).get("version", "?")),
        "Python": str(first.get("process.start", {}).get("python", "?")),
        "Server": scenario.server,
        "Command": " ".join(words),
        "Database": profiles.databases[scenario.database].title,
    }
    if wrapper:
        shown["CONN_MAX_AGE"] = json.dumps(wrapper["max_age"]).replace("null", "None")
        shown["CONN_HEALTH_CHECKS"] = str(wrapper["health_checks"])
    return shown
