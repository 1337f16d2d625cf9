"""The clusters of one build: a shared one of each kind, and those that single scenarios need."""

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
from sphinx_djconn.lab.clusters.server import ExternalServer, PrivateServer
from sphinx_djconn.lab.errors import ClusterError, LabError, ProfileError
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.temporary import sweep
from sphinx_djconn.lab.profiles.databases import DEFAULT_MAX_CONNECTIONS

_ENGINES: Final[Mapping[str, type[Engine]]] = {each.kind: each for each in (PostgreSQL, MariaDB)}


class Clusters:
    """Starts clusters when they are first needed. ``dsns`` maps kinds to the servers that conf.py names.

    ``cancellation`` ends those that are being started. May be used by several threads.
    """

    def __init__(
        self, dsns: Mapping[str, str] | None = None, *, cancellation: Cancellation | None = None
    ) -> None:
        self._dsns = dict(dsns or {})
        self._cancellation = cancellation or Cancellation()
        self._lock = threading.Lock()
        self._shared: dict[tuple[str, str | None], Future[Cluster]] = {}
        self._private: list[Cluster] = []
        self._closed = False
        sweep()

    def warm_up(self, kind: str, dsn: str | None = None) -> None:
        """Start the shared cluster of ``kind`` in the background."""
        self._future(kind, dsn)

    def shared(self, kind: str, dsn: str | None = None) -> Cluster:
        """Return the cluster of ``kind`` that scenarios share, or the one of ``dsn``.

        It is started once. If that fails, the error is raised each time: ``AbsentError`` if something is not
        installed, ``ProfileError`` for a wrong DSN, and :class:`ClusterError`.
        """
        try:
            return self._future(kind, dsn).result()
        except LabError as error:
            raise error.with_traceback(None) from None

    def own(
        self,
        kind: str,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        settings: Iterable[tuple[str, str]] = (),
    ) -> Cluster:
        """Return a new private cluster, which the caller closes.

        The application can hold ``max_connections``. ``settings`` are the server's.
        """
        if kind in self._dsns:
            raise ClusterError(
                f"a scenario needs a {kind} of its own, for a restart or a limit of connections, and conf.py "
                "names a server for all; take the DSN out of conf.py"
            )
        cluster = _start_private(
            engine_for(kind), max_connections, tuple(settings), cancellation=self._cancellation
        )
        with self._lock:
            if not self._closed:
                self._private.append(cluster)
                return cluster
        cluster.close()
        raise _closed_error()

    def close(self) -> None:
        """End all clusters, including those that are being started."""
        with self._lock:
            self._closed = True
            futures, self._shared = [*self._shared.values()], {}
            clusters, self._private = self._private, []
        for future in futures:
            with suppress(BaseException):
                clusters.append(future.result())
        for cluster in clusters:
            cluster.close()

    def _future(self, kind: str, dsn: str | None) -> Future[Cluster]:
        dsn = self._dsns.get(kind) if dsn is None else dsn
        with self._lock:
            if self._closed:
                raise _closed_error()
            future = self._shared.get((kind, dsn))
            if future is None:
                future = self._shared[kind, dsn] = Future()
                # A daemon: if the build is interrupted, the supervisor of the server ends it.
                start = partial(self._start, kind, dsn, future)
                threading.Thread(target=start, name=f"djconn-{kind}", daemon=True).start()
            return future

    def _start(self, kind: str, dsn: str | None, future: Future[Cluster]) -> None:
        try:
            engine = engine_for(kind)
            cluster = (
                _start_private(engine, DEFAULT_MAX_CONNECTIONS, cancellation=self._cancellation)
                if dsn is None
                else Cluster(engine, ExternalServer(engine, dsn))
            )
        except BaseException as error:  # noqa: BLE001 - `shared` raises it
            future.set_exception(error)
        else:
            future.set_result(cluster)


def engine_for(kind: str) -> Engine:
    """Return the engine of ``kind``. Raises ``ProfileError`` or ``AbsentError``."""
    if kind not in _ENGINES:
        raise ProfileError(f"there is no database server `{kind}`; there are {', '.join(_ENGINES)}")
    return _ENGINES[kind]()


def _start_private(
    engine: Engine,
    connections: int,
    settings: tuple[tuple[str, str], ...] = (),
    *,
    cancellation: Cancellation,
) -> Cluster:
    server = PrivateServer(engine, connections, settings, cancellation)
    try:
        return Cluster(engine, server)
    except BaseException:
        server.close(None)
        raise


def _closed_error() -> ClusterError:
    return ClusterError("the build is over: its database servers have been closed")
