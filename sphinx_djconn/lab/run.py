"""One run: a server in its own processes and its own folder, with its own databases."""

import errno
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.command import ServerCommand
from sphinx_djconn.lab.databases.protocols import DatabaseProvider, RunDatabases
from sphinx_djconn.lab.errors import FloodError, RunError
from sphinx_djconn.lab.events.collector import EventCollector
from sphinx_djconn.lab.process.launcher import SupervisedProcess, tail
from sphinx_djconn.lab.process.port import Port
from sphinx_djconn.lab.process.temporary import end_processes_of
from sphinx_djconn.lab.run_folder import RunFolder
from sphinx_djconn.lab.run_spec import RunServices, RunSpec
from sphinx_djconn.lab.run_trace import TraceBuilder
from sphinx_djconn.lab.steps.player import Player
from sphinx_djconn.trace.reading import Trace

_TAIL: Final = 20
"""How many lines of the server's log an error carries."""

_GRACE: Final = 1.0
"""Seconds after the time limit in which the lab can end the run, before the supervisor does."""


class Run:
    """One run of a scenario. ``seconds`` is its time limit."""

    def __init__(
        self, spec: RunSpec, services: RunServices, provider: DatabaseProvider, seconds: float
    ) -> None:
        self.notes: list[str] = []
        """What a warning should say about it."""

        self.inputs: list[Inputs] = []
        """What it has used, once it is complete."""

        self._spec = spec
        self._services = services
        self._provider = provider
        self._seconds = seconds

    def execute(self) -> Trace:
        """Run the server, play the sequence, and return the trace.

        Raises :class:`RunError` if the run was not completed, and :class:`Cancelled`. No process and no file of
        the run is left in any case.
        """
        self._services.cancellation.check()
        try:
            folder = RunFolder()
            with ExitStack() as stack:
                databases = stack.enter_context(self._provider.provide(self._spec, self._services))
                port = stack.enter_context(closing(Port())) if self._spec.server.needs_port else None
                command = ServerCommand(
                    self._spec, folder.path, None if port is None else port.number, databases.settings
                )
                process = self._services.launcher.supervise(
                    command.argv(), folder.path, command.preload_key(), env=command.environ()
                )
                stack.enter_context(closing(process))
                stack.enter_context(folder)
                databases.copy_to(folder.path)
                self.inputs.extend(databases.inputs)
                return self._serve(folder, command, process, port, databases)
        except OSError as error:
            raise RunError(_cannot_run(error)) from error

    def _serve(
        self,
        folder: RunFolder,
        command: ServerCommand,
        process: SupervisedProcess,
        port: Port | None,
        databases: RunDatabases,
    ) -> Trace:
        spec, server = self._spec, self._spec.server
        cancellation = self._services.cancellation
        builder = TraceBuilder(spec, command, databases, folder)
        collector = EventCollector(folder.path, time.monotonic() + self._seconds)
        if spec.scenario.garbage_collection == "each-request":
            collector.state.end_of_request = "request.collected"
        try:
            folder.write_settings(command.settings())
            process.start(
                env=command.environ(),
                cwd=spec.project.path,
                seconds=self._seconds + _GRACE,
                log_limit=server.log_limit,
            )
            collector.add_supervisor(process.reports)
            limit = spec.database.session_limit
            collector.emit(
                "collector", mode=spec.scenario.garbage_collection, **({"room": limit} if limit else {})
            )
            player = Player(collector, folder.reload_trigger, port, databases.server)
            try:
                with cancellation.on_cancel(collector.cancel), cancellation.on_cancel(process.kill):
                    player.play(spec.scenario.sequence)
                    if not folder.is_intact:
                        raise _removed()
                    events, log = list(collector.state.events), _read_log(process.log, server.log_limit)
                    player.close()  # many servers wait for their clients before they end
                    process.terminate(server.stop_seconds)
                    collector.wait(
                        lambda: "gone" in collector.reports,
                        "the server to end",
                        server_must_run=False,
                        seconds=server.stop_seconds + _GRACE,
                    )
            except RunError as error:
                error = error if folder.is_intact else _removed(error)
                raise _with_log(error, builder, collector, process.log) from error
            finally:
                process.end()  # not close(): the collector still reads its reports
                player.close()
                if collector.supervisor_is_lost(_GRACE):
                    end_processes_of(folder.path)
        finally:
            collector.close()
        self.inputs.append(self._services.machine.inputs(folder.input_records(), folder.path))
        if "stubborn" in collector.reports:
            self.notes.append(
                f"the server did not end within {server.stop_seconds:g} seconds of SIGTERM and was "
                "killed; the run is complete, but find out what delays its end, or raise "
                "`stop_seconds` of its profile in `djconn_servers`"
            )
        trace = builder.build(events, log)
        self.notes += [contradiction.message for contradiction in trace.contradictions]
        return trace


def _with_log(error: RunError, builder: TraceBuilder, collector: EventCollector, log: Path) -> RunError:
    """Return ``error`` with the end of the server's log."""
    ports, pids = builder.ports(collector.state.events), collector.state.pids.values()
    lines = builder.sanitizer().lines(tail(log), ports, pids)
    return type(error)(error.message, lines[-_TAIL:], error.line)


def _removed(error: RunError | None = None) -> RunError:
    """Return the error of a run whose folder was removed, which caused ``error``."""
    consequence = "" if error is None else f"; then {error.message}"
    return RunError(
        "the folder of the run was removed while it went on: by the project, for which it is the folder for "
        f"temporary files (TMPDIR), or by a program that cleans up; remove files there one by one{consequence}",
        line=None if error is None else error.line,
    )


def _read_log(log: Path, limit: int) -> bytes:
    """Return what the server has written. Raises :class:`FloodError` if that is more than ``limit`` bytes."""
    if log.stat().st_size > limit:
        raise FloodError
    return log.read_bytes()


def _cannot_run(error: OSError) -> str:
    advice = (
        "run fewer scenarios at once (`djconn_jobs`)"
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
        else "see that the system's folder for temporary files (TMPDIR) has room and can be written"
    )
    return f"the run could not go on: {error.strerror or type(error).__name__}; {advice}"
