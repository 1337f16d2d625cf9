"""What a run needs of its databases, wherever they are."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.clusters.engine import ServerSession
from sphinx_djconn.lab.run_spec import RunServices, RunSpec
from sphinx_djconn.scenario.model import Fault


class DatabaseServer(Protocol):
    """The server that holds the databases of a run, as the steps of the run use it."""

    def sessions(self, closed: set[int], seconds: float) -> list[ServerSession]:
        """Return the sessions of the run; see :meth:`Cluster.sessions`."""

    def processes(self) -> list[int]:
        """Return the ids of the server's processes that work for the run."""

    def inject_fault(self, action: Fault) -> None:
        """Do ``action``, and return when it is complete."""


class RunDatabases(Protocol):
    """The databases of one run."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the settings module of the run has to know of them."""

    @property
    def description(self) -> Mapping[str, str]:
        """The rows of the settings table that describe them."""

    @property
    def replacements(self) -> Mapping[str, str]:
        """Texts that depend on the machine, and what a page shows instead."""

    @property
    def secrets(self) -> Sequence[str]:
        """Texts that no page may show."""

    @property
    def inputs(self) -> Sequence[Inputs]:
        """What was used to create the databases that they are copies of."""

    @property
    def server(self) -> DatabaseServer | None:
        """The server that holds them; ``None`` for files."""

    def copy_to(self, folder: Path) -> None:
        """Copy those that are files into the run's ``folder``. Raises ``OSError``."""


class DatabaseProvider(Protocol):
    """Provides databases to the runs of one build. Several threads may use it."""

    def provide(self, spec: RunSpec, services: RunServices) -> AbstractContextManager[RunDatabases]:
        """Return a context manager that yields the databases of one run, and removes them at its end.

        Raises :class:`AbsentError` if something is not installed, :class:`PreparationError` if the project's
        settings, migrations or fixtures fail, other errors of the lab, and :class:`Cancelled`.
        """

    def close(self) -> None:
        """End everything that was started for it."""
