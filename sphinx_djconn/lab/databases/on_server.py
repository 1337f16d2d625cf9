"""Databases of runs that are on a server: created once for each cluster, copied for each run, then dropped."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, assert_never

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import ServerSession
from sphinx_djconn.lab.clusters.requirements import check_driver
from sphinx_djconn.lab.databases.once import OncePerKey
from sphinx_djconn.lab.databases.preparation import Preparation, PreparationSpec, TimeLimit
from sphinx_djconn.lab.errors import LabError
from sphinx_djconn.lab.fingerprint import Fingerprints
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.lab.run_spec import RunServices, RunSpec
from sphinx_djconn.scenario.model import DatabaseFault, Fault, Scenario

_MIN_SECRET_LENGTH: Final = 4


class ServerDatabases:
    """The databases of one run, on ``cluster``: ``prefix_0``, ``prefix_1``, … for each alias that has one.

    ``inputs`` are what was used to create the databases that they are copies of.
    """

    def __init__(
        self, cluster: Cluster, database: Database, prefix: str, count: int, inputs: Sequence[Inputs] = ()
    ) -> None:
        self._cluster = cluster
        self._database = database
        self._entry = cluster.settings(prefix)
        self.names = [f"{prefix}_{index}" for index in range(count)]
        """Their names, as :class:`Cluster` takes them."""

        self.inputs = inputs

    def create(self, templates: Sequence[str]) -> None:
        """Create them as copies of ``templates``. Raises :class:`ClusterError`."""
        for name, template in zip(self.names, templates, strict=True):
            self._cluster.create_database(name, template)

    def copy_to(self, folder: Path) -> None:
        """Do nothing: no file has to be in the run's folder."""

    def drop(self) -> None:
        """Drop them, if the server still exists."""
        for name in self.names:
            with suppress(LabError):
                self._cluster.drop_database(name)

    @property
    def settings(self) -> dict[str, Any]:
        """What the settings module of a process has to know of them."""
        return {
            "databases": {
                "entry": self._entry,
                "kind": self._database.kind,
                "options": dict(self._database.options),
                "created": len(self.names),
                "own": self._database.dsn is None,
            }
        }

    @property
    def description(self) -> dict[str, str]:
        """The rows of the settings table that describe the server."""
        rows = {"Database": self._cluster.label}
        if self._database.options:
            rows["OPTIONS"] = json.dumps(self._database.options)
        if self._database.max_connections is not None:
            rows["max_connections"] = str(self._database.max_connections)
        return rows | dict(self._database.server_settings)

    @property
    def replacements(self) -> dict[str, str]:
        """Texts that depend on the machine, and what a page shows instead."""
        replacements = {self._cluster.settings(name)["NAME"]: "<database>" for name in self.names}
        host, password = self._entry["HOST"], self._entry["PASSWORD"]
        if host.startswith("/"):
            replacements[host] = "<server>"
        if password:
            replacements[password] = "<password>"
        return replacements

    @property
    def secrets(self) -> list[str]:
        """Texts that no page may show, wherever they occur."""
        password = self._entry["PASSWORD"]
        return [password] if len(password) >= _MIN_SECRET_LENGTH else []

    @property
    def server(self) -> Self:
        """The server that holds them."""
        return self

    def sessions(self, closed: set[int], seconds: float) -> list[ServerSession]:
        """Return the sessions that the server holds; see :meth:`Cluster.sessions`."""
        sessions = (self._cluster.sessions(name, closed=closed, seconds=seconds) for name in self.names)
        return list(itertools.chain.from_iterable(sessions))

    def processes(self) -> list[int]:
        """Return the ids of the server's processes that work for them; see :meth:`Cluster.processes`."""
        return self._cluster.processes(self.names)

    def inject_fault(self, action: Fault) -> None:
        """Do ``action``, and return when the server has done it. Raises :class:`ClusterError`."""
        match action:
            case "end sessions":
                self._for_each(self._cluster.end_sessions)
            case "refuse connections":
                self._for_each(self._cluster.refuse)
            case "accept connections":
                self._for_each(self._cluster.accept)
            case "restart":
                self._cluster.restart()
            case _:
                assert_never(action)

    def _for_each(self, action: Callable[[str], object]) -> None:
        for name in self.names:
            action(name)


class _ServerTemplate(NamedTuple):
    """The databases of a project on a cluster, to be copied, and what was used to create them."""

    names: list[str]
    inputs: list[Inputs]


class ServerProvider:
    """Provides databases on the servers of one build.

    ``timeout`` is :confval:`djconn_timeout`, in seconds. ``cancellation`` ends servers that are being started.
    """

    def __init__(self, fingerprints: Fingerprints, timeout: float, cancellation: Cancellation) -> None:
        self._fingerprints = fingerprints
        self._timeout = timeout
        self._clusters = Clusters(cancellation=cancellation)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: dict[tuple[Any, ...], list[Cluster]] = {}
        self._templates: OncePerKey[_ServerTemplate] = OncePerKey()

    def warm_up(self, database: Database) -> None:
        """Begin to start the server of ``database`` if scenarios share it, and return at once."""
        if database.has_server and not database.needs_own_server:
            self._clusters.warm_up(database.kind, database.dsn)

    def close(self) -> None:
        """End every server that was started, and drop what was created on those that conf.py names."""
        self._clusters.close()

    @contextmanager
    def provide(self, spec: RunSpec, services: RunServices) -> Iterator[ServerDatabases]:
        """Yield the databases of a run, which are dropped at its end.

        Raises :class:`AbsentError` if something is not installed, :class:`ProfileError`, :class:`ClusterError`,
        :class:`PreparationError` and :class:`Cancelled`.
        """
        check_driver(spec.database, spec.environment)
        name = self._fingerprints.database_name(spec.project, spec.environment)
        with self._cluster(spec.scenario, spec.database) as cluster:
            template = self._templates.get((id(cluster), name), lambda: self._create(cluster, spec, services))
            databases = ServerDatabases(
                cluster, spec.database, f"r{next(self._numbers)}", len(template.names), template.inputs
            )
            try:
                databases.create(template.names)
                yield databases
            finally:
                databases.drop()

    @contextmanager
    def _cluster(self, scenario: Scenario, database: Database) -> Iterator[Cluster]:
        """Yield the shared cluster, or an exclusive one if the scenario needs that."""
        restarts = any(
            isinstance(step, DatabaseFault) and step.action == "restart" for step in scenario.sequence.steps
        )
        if not restarts and not database.needs_own_server:
            yield self._clusters.shared(database.kind, database.dsn)
            return
        key = (database.kind, database.max_connections, database.server_settings)
        with self._lock:
            idle = self._idle.setdefault(key, [])
            cluster = idle.pop() if idle else None
        if cluster is None:
            limit = {} if database.max_connections is None else {"max_connections": database.max_connections}
            cluster = self._clusters.own(database.kind, settings=database.server_settings, **limit)
        yield cluster
        with self._lock:  # not after an error: the state of the cluster is unknown then
            idle.append(cluster)

    def _create(self, cluster: Cluster, spec: RunSpec, services: RunServices) -> _ServerTemplate:
        """Create and migrate the template databases. Their number is known after the settings are loaded."""
        database = Database(spec.database.title, spec.database.kind, dsn=spec.database.dsn)  # without a pool
        prefix, count, created = f"t{next(self._numbers)}", 1, 0
        inputs: list[Inputs] = []
        preparation_spec = PreparationSpec(
            spec.project, spec.environment, TimeLimit.of(spec.project, self._timeout)
        )
        while created < count:
            databases = ServerDatabases(cluster, database, prefix, count)
            for name in databases.names[created:]:
                cluster.create_database(name)
            created = count
            with closing(Preparation(preparation_spec, services.launcher, databases=databases)) as preparation:
                if not preparation.finish(services.cancellation):
                    raise preparation.failure()
                count = preparation.needed()
                folder = preparation.folder
                inputs.append(services.machine.inputs(folder.input_records(), folder.path))
        for name in databases.names:
            cluster.end_sessions(name)  # a database with sessions cannot be copied
        return _ServerTemplate(databases.names[:count], inputs)
