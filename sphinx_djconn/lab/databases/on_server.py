"""Databases of runs that are on a server: prepared once for each cluster, copied for each run, dropped."""

import importlib.util
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import Any, Final, NamedTuple, assert_never

from packaging.version import Version

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.clusters import binaries
from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import ServerSession
from sphinx_djconn.lab.databases.in_files import Preparation
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import AbsentError, LabError, PreparationError
from sphinx_djconn.lab.fingerprint import Fingerprints
from sphinx_djconn.lab.inputs.machine import Machines
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.lab.profiles.profiles import Profiles, Project
from sphinx_djconn.scenario.model import DatabaseFault, Fault, Scenario

_POOLS: Final = Version("5.1")
"""The version that OPTIONS["pool"] came with (Django's release notes)."""

_LEAST_SECRET: Final = 4


class ServerDatabases:
    """The databases of one run, on ``cluster``: ``prefix_0``, ``prefix_1``, … for each alias that has one."""

    def __init__(self, cluster: Cluster, database: Database, prefix: str, count: int) -> None:
        self._cluster = cluster
        self._database = database
        self._names = [f"{prefix}_{index}" for index in range(count)]
        self._entry = cluster.settings(prefix)
        self.inputs: list[Inputs] = []
        """What was used to make those that they are copies of."""

    def create(self, templates: list[str]) -> None:
        """Make them, as copies of ``templates``."""
        for name, template in zip(self._names, templates, strict=True):
            self._cluster.create_database(name, template)

    def drop(self) -> None:
        """Remove them, where the server is still there."""
        for name in self._names:
            with suppress(LabError):
                self._cluster.drop_database(name)

    @property
    def names(self) -> list[str]:
        """Their names, as the cluster is asked for them."""
        return self._names

    @property
    def settings(self) -> dict[str, Any]:
        """What the settings module of a process has to know of them."""
        kind, options = self._database.kind, dict(self._database.options)
        own = self._database.dsn is None
        made = {"kind": kind, "options": options, "made": len(self._names), "own": own}
        return {"databases": {"entry": self._entry, **made}}

    @property
    def label(self) -> str:
        """What the server is called, and its version."""
        return self._cluster.label

    @property
    def shown(self) -> dict[str, str]:
        """Texts of the machine's, and what a page shows for them."""
        shown = {self._cluster.settings(name)["NAME"]: "<database>" for name in self._names}
        host, password = self._entry["HOST"], self._entry["PASSWORD"]
        if host.startswith("/"):
            shown[host] = "<server>"
        if password:
            shown[password] = "<password>"
        return shown

    @property
    def secrets(self) -> list[str]:
        """Texts that no page may show, wherever they stand."""
        password = self._entry["PASSWORD"]
        return [password] if len(password) >= _LEAST_SECRET else []

    def sessions(self, closed: set[int], seconds: float) -> list[ServerSession]:
        """Return the sessions that the server holds; see :meth:`Cluster.sessions`."""
        found = (self._cluster.sessions(name, closed=closed, seconds=seconds) for name in self._names)
        return [session for sessions in found for session in sessions]

    def processes(self) -> list[int]:
        """Return those that work for them; see :meth:`Cluster.processes`."""
        return self._cluster.processes(self._names)

    def inject_fault(self, action: Fault) -> None:
        """Do ``action``, which ends when the server has done it."""
        match action:
            case "end sessions":
                self._each(self._cluster.end_sessions)
            case "refuse connections":
                self._each(self._cluster.refuse)
            case "accept connections":
                self._each(self._cluster.accept)
            case "restart":
                self._cluster.restart()
            case _:
                assert_never(action)

    def _each(self, deed: Callable[[str], object]) -> None:
        for name in self._names:
            deed(name)


class _Template(NamedTuple):
    names: list[str]
    lock: threading.Lock
    inputs: list[Inputs]


class _Preparing(NamedTuple):
    """What it takes to make a project's databases."""

    project: Project
    environment: Environment
    launcher: Launcher
    interruption: Cancellation


class DatabaseServers:
    """The servers of one build, and the databases of its projects on them. May be used by several threads.

    ``timeout`` is :confval:`djconn_timeout`, in seconds.
    """

    def __init__(
        self, keys: Fingerprints, machines: Machines, timeout: float, interruption: Cancellation
    ) -> None:
        self._keys = keys
        self._machines = machines
        self._timeout = timeout
        self._clusters = Clusters(cancellation=interruption)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: dict[tuple[Any, ...], list[Cluster]] = {}
        self._templates: dict[tuple[int, str], _Template] = {}
        self._failures: dict[tuple[int, str], PreparationError] = {}

    def warm_up(self, database: Database) -> None:
        """Begin to start the server of ``database``, where scenarios share it, and return at once."""
        if database.has_server and not database.needs_own_server:
            self._clusters.warm_up(database.kind, database.dsn)

    def close(self) -> None:
        """End every server that was started, and leave nothing on those that were given."""
        self._clusters.close()

    @contextmanager
    def of_run(
        self,
        scenario: Scenario,
        profiles: Profiles,
        environment: Environment,
        launcher: Launcher,
        interruption: Cancellation,
    ) -> Iterator[ServerDatabases]:
        """Yield the databases of a run, which are dropped at its end.

        Raises :class:`AbsentError` where something is not installed, ``ProfileError``, ``ClusterError``,
        :class:`PreparationError` and ``Cancelled``.
        """
        database, project = profiles.databases[scenario.database], profiles.projects[scenario.project]
        check_installed(database, environment)
        preparing = _Preparing(project, environment, launcher, interruption)
        with self._cluster(scenario, database) as cluster:
            templates = self._prepared(cluster, database, preparing)
            databases = ServerDatabases(cluster, database, f"r{next(self._numbers)}", len(templates.names))
            databases.inputs = templates.inputs
            try:
                databases.create(templates.names)
                yield databases
            finally:
                databases.drop()

    @contextmanager
    def _cluster(self, scenario: Scenario, database: Database) -> Iterator[Cluster]:
        """Yield a cluster that nobody else uses, where that is needed, else the one that is shared."""
        restarted = any(isinstance(s, DatabaseFault) and s.action == "restart" for s in scenario.sequence.steps)
        if not restarted and not database.needs_own_server:
            yield self._clusters.shared(database.kind, database.dsn)
            return
        alike = (database.kind, database.max_connections, database.server_settings)
        with self._lock:
            idle = self._idle.setdefault(alike, [])
            cluster = idle.pop() if idle else None
        if cluster is None:
            given = {} if database.max_connections is None else {"max_connections": database.max_connections}
            cluster = self._clusters.own(database.kind, settings=database.server_settings, **given)
        yield cluster
        with self._lock:  # not after an error: nobody knows how it is
            idle.append(cluster)

    def _prepared(self, cluster: Cluster, database: Database, preparing: _Preparing) -> _Template:
        """Return the project's databases on ``cluster``, which are made once, to be copied."""
        key = (id(cluster), self._keys.databases(preparing.project, preparing.environment))
        with self._lock:
            template = self._templates.setdefault(key, _Template([], threading.Lock(), []))
        with template.lock:
            if key in self._failures:
                raise self._failures[key]
            if not template.names:
                try:
                    template.names.extend(self._prepare(cluster, database, preparing, template.inputs))
                except PreparationError as error:
                    self._failures[key] = error
                    raise
        return template

    def _prepare(
        self, cluster: Cluster, database: Database, preparing: _Preparing, inputs: list[Inputs]
    ) -> list[str]:
        """Migrate the project's databases; how many there are, its settings have to be asked."""
        plain = Database(database.title, database.kind, dsn=database.dsn)  # with no pool: it would be of no use
        prefix, count, made = f"t{next(self._numbers)}", 1, 0
        while made < count:
            databases = ServerDatabases(cluster, plain, prefix, count)
            for name in databases.names[made:]:
                cluster.create_database(name)
            made = count
            project, environment, launcher, interruption = preparing
            begun = Preparation(project, environment, launcher, self._timeout, databases=databases)
            with closing(begun) as preparation:
                if not preparation.finish(interruption):
                    raise preparation.failure()
                count = int(preparation.folder.path.joinpath("wanted").read_text())
                machine = self._machines.of(project, environment)
                inputs.append(machine.inputs(preparation.folder.records(), preparation.folder.path))
        for name in databases.names:
            cluster.end_sessions(name)  # of a database that is to be copied, there may be none
        return databases.names[:count]


def check_installed(database: Database, environment: Environment) -> None:
    """Raise :class:`AbsentError` where Django could not use ``database`` in ``environment``."""
    if database.kind == "mariadb" and not _has(environment, "MySQLdb", "mysqlclient"):
        raise AbsentError(
            "MariaDB needs mysqlclient, the driver that Django uses, which is not installed; install it with "
            "`pip install 'sphinx-djconn[mariadb]'`, for which Linux needs a compiler and `libmariadb-dev`"
        )
    if database.has_pool:
        django = environment.installed.version("django")
        if django and Version(django) < _POOLS:
            raise AbsentError(
                f"a pool of connections came with Django {_POOLS}, and {django} is installed; install that, or "
                "use another database"
            )
        if not _has(environment, "psycopg_pool", "psycopg-pool"):
            raise AbsentError(
                "a pool of connections needs psycopg_pool, which is not installed; install it with "
                "`pip install 'sphinx-djconn[postgresql]'`"
            )


def _has(environment: Environment, module: str, distribution: str) -> bool:
    if environment.is_current:  # which can be asked for the module itself
        return importlib.util.find_spec(module) is not None
    return bool(environment.installed.version(distribution))


@cache
def _program(kind: str) -> str:
    """Return the version of the program on this machine, which is executed to tell it."""
    try:
        found = binaries.postgresql() if kind == "postgresql" else binaries.mariadb()
    except AbsentError:
        return ""
    return ".".join(map(str, found.version))


def version(database: Database) -> str:
    """Return the version of the server that the build would start; empty where nobody knows it."""
    return "" if database.dsn is not None else _program(database.kind)
