"""The trace of a run, made from what was collected while it ran."""

import json
from typing import Any, Final

from sphinx_djconn.lab.command import ServerCommand
from sphinx_djconn.lab.databases.protocols import RunDatabases
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import RunError
from sphinx_djconn.lab.events.sanitizer import LineCounter, Sanitizer
from sphinx_djconn.lab.run_folder import RunFolder
from sphinx_djconn.lab.run_spec import RunSpec
from sphinx_djconn.trace.events import Event, decode, in_order
from sphinx_djconn.trace.reading import Trace

_WITH_PROJECT_TEXT: Final = frozenset({"response", "thread.start"})
"""The kinds of events that contain text of the project: bodies of responses, names of threads."""


class TraceBuilder:
    """Builds the trace of a run, without secrets and without what depends on the machine."""

    def __init__(
        self, spec: RunSpec, command: ServerCommand, databases: RunDatabases, folder: RunFolder
    ) -> None:
        self._spec = spec
        self._command = command
        self._databases = databases
        self._folder = folder

    def sanitizer(self) -> Sanitizer:
        """Return what removes secrets; it covers the project's after a process has loaded the settings."""
        spec, databases = self._spec, self._databases
        env = (*spec.server.env, *spec.project.env)
        places = {**spec.environment.path_labels, spec.project.path: "<project>", self._folder.path: "<run>"}
        return Sanitizer(places, [*self._folder.secrets(), *databases.secrets], env, databases.replacements)

    def ports(self, collected: list[dict[str, Any]]) -> list[int]:
        """Return the ports of the server and of its clients, which the log may contain."""
        own = [] if self._command.port is None else [self._command.port]
        return own + [event["port"] for event in collected if event["k"] in ("listening", "http.open")]

    def build(self, collected: list[dict[str, Any]], log: bytes) -> Trace:
        """Return the trace up to the end of the sequence, from the events as they were ``collected``."""
        line_of = LineCounter(log)
        end = next(event["t"] for event in reversed(collected) if event["k"] == "end")
        events = in_order(
            event._replace(log=line_of(event.log)) for event in map(decode, collected) if event.at <= end
        )
        sanitizer = self.sanitizer()
        pids = [event.data["pid"] for event in events if event.kind == "process.start"]
        events = tuple(_sanitized(event, sanitizer) for event in events)
        lines = sanitizer.lines(log, self.ports(collected), pids)
        settings = {name: sanitizer.text(text) for name, text in self._settings(events).items()}
        return Trace(events, lines, settings)

    def _settings(self, events: tuple[Event, ...]) -> dict[str, str]:
        """Return what the server was started with, as pages show it."""
        environment, scenario = self._spec.environment, self._spec.scenario
        first = {event.kind: event.data for event in reversed(events)}
        django = str(first.get("django", {}).get("version", "?"))
        python = str(first.get("process.start", {}).get("python", "?"))
        _check_versions(environment, django, python)
        rows = {} if environment.is_current else {"Environment": environment.name}
        if environment.unsupported:
            python += f", which Django {django} does not support"
        rows |= {
            "Django": django,
            "Python": python,
            "Server": scenario.server,
            "Command": self._command.shown(),
            **self._databases.description,
        }
        wrapper = first.get("db.wrapper", {})
        if wrapper:
            rows["CONN_MAX_AGE"] = json.dumps(wrapper["max_age"]).replace("null", "None")
            rows["CONN_HEALTH_CHECKS"] = str(wrapper["health_checks"])
        rows["Garbage collection"] = scenario.garbage_collection
        return rows


def _check_versions(environment: Environment, django: str, python: str) -> None:
    """Raise :class:`RunError` if the server ran elsewhere than in ``environment``.

    A program on the PATH may belong to another one.
    """
    if environment.is_current or python == "?":
        return
    expected = environment.installed.version("django")
    if python != environment.version or (expected and django not in ("?", expected)):
        raise RunError(
            f"the server ran Django {django} with Python {python}, and the environment `{environment.name}` "
            f"has Django {expected} and Python {environment.version}; list the distribution of the server's "
            "program in its 'requires' in `djconn_servers`"
        )


def _sanitized(event: Event, sanitizer: Sanitizer) -> Event:
    """Return ``event`` without text of the project that a page must not show."""
    if event.kind not in _WITH_PROJECT_TEXT:
        return event
    data = dict(event.data)
    unknown = list(data.pop("unknown", ()))
    for name, value in data.items():
        data[name], masked = sanitizer.value(value)
        unknown += masked if name == "json" else ()
    return event._replace(data={**data, "unknown": unknown} if unknown else data)
