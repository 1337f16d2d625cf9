"""The clusters of one build: of each kind one that is shared, and those that a scenario has to itself."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Final

from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.engine import Engine
from sphinx_djconn.lab.clusters.mariadb import MariaDB
from sphinx_djconn.lab.clusters.postgresql import PostgreSQL
from sphinx_djconn.lab.clusters.server import GivenServer, PrivateServer
from sphinx_djconn.lab.errors import ClusterError, LabError, ProfileError
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.temporary import sweep
from sphinx_djconn.lab.profiles.databases import DEFAULT_MAX_CONNECTIONS

_ENGINES: Final[Mapping[str, type[Engine]]] = {each.kind: each for each in (PostgreSQL, MariaDB)}


class Clusters:
    """Starts clusters when they are needed first. ``dsns`` maps kinds to servers that conf.py names.

    ``interruption`` ends those that are being started.

    May be used by several threads; one that is closed leaves nothing behind.
    """

    def __init__(
        self, dsns: Mapping[str, str] | None = None, *, interruption: Cancellation | None = None
    ) -> None:
        self._dsns = dict(dsns or {})
        self._interruption = interruption or Cancellation()
        self._lock = threading.Lock()
        self._shared: dict[tuple[str, str | None], Future[Cluster]] = {}
        self._own: list[Cluster] = []
        self._closed = False
        sweep()

    def warm_up(self, kind: str, dsn: str | None = None) -> None:
        """Begin to start the shared cluster of ``kind``, and return at once."""
        self._begin(kind, dsn)

    def shared(self, kind: str, dsn: str | None = None) -> Cluster:
        """Return the cluster of ``kind`` that scenarios share, when it listens; that of ``dsn``, if any.

        It is started once: what went wrong then is raised each time. Raises ``AbsentError`` where something
        is not installed, ``ProfileError`` for a DSN that is wrong, :class:`ClusterError`.
        """
        try:
            return self._begin(kind, dsn).result()
        except LabError as error:
            raise error.with_traceback(None) from None

    def own(
        self,
        kind: str,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        settings: Iterable[tuple[str, str]] = (),
    ) -> Cluster:
        """Return a new cluster, for one scenario, which closes it; its application can hold so many.

        The server is started with its own ``settings``.
        """
        if kind in self._dsns:
            raise ClusterError(
                f"a scenario wants a {kind} of its own, for a restart or a limit of connections, and conf.py "
                "names a server for all; take the DSN out of conf.py"
            )
        cluster = _private(_engine(kind), max_connections, tuple(settings), interruption=self._interruption)
        with self._lock:
            if not self._closed:
                self._own.append(cluster)
                return cluster
        cluster.close()
        raise _too_late()

    def close(self) -> None:
        """End all of them, those that are being started too."""
        with self._lock:
            self._closed = True
            starting, self._shared = [*self._shared.values()], {}
            own, self._own = self._own, []
        for future in starting:
            with suppress(BaseException):
                own.append(future.result())
        for cluster in own:
            cluster.close()

    def _begin(self, kind: str, dsn: str | None) -> Future[Cluster]:
        dsn = self._dsns.get(kind) if dsn is None else dsn
        with self._lock:
            if self._closed:
                raise _too_late()
            future = self._shared.get((kind, dsn))
            if future is None:
                future = self._shared[kind, dsn] = Future()
                # A build that is interrupted while it reads pages does not wait for it: its supervisor ends it.
                start = partial(self._start, kind, dsn, future)
                threading.Thread(target=start, name=f"djconn-{kind}", daemon=True).start()
            return future

    def _start(self, kind: str, dsn: str | None, future: Future[Cluster]) -> None:
        try:
            engine = _engine(kind)
            cluster = (
                _private(engine, DEFAULT_MAX_CONNECTIONS, interruption=self._interruption)
                if dsn is None
                else Cluster(engine, GivenServer(engine, dsn))
            )
        except BaseException as error:  # noqa: BLE001 - it is for whoever asks for the cluster
            future.set_exception(error)
        else:
            future.set_result(cluster)


def _engine(kind: str) -> Engine:
    if kind not in _ENGINES:
        raise ProfileError(f"there is no database server `{kind}`; there are {', '.join(_ENGINES)}")
    return _ENGINES[kind]()


def _private(
    engine: Engine,
    connections: int,
    settings: tuple[tuple[str, str], ...] = (),
    *,
    interruption: Cancellation,
) -> Cluster:
    server = PrivateServer(engine, connections, settings, interruption)
    try:
        return Cluster(engine, server)
    except BaseException:
        server.close(None)
        raise


def _too_late() -> ClusterError:
    return ClusterError("the build is over: its database servers have been closed")
