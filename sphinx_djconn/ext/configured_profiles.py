"""Reads the profiles of conf.py: projects, servers, databases and environments."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sphinx_djconn.ext.config import Settings, shortened
from sphinx_djconn.lab.environments.specification import Specification, parse_environment
from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.profiles.databases import DATABASES, read_database
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import DEMO, Project, read_project
from sphinx_djconn.lab.profiles.servers import SERVERS, read_server
from sphinx_djconn.lab.profiles.tables import tables

_Profile = TypeVar("_Profile")


def read_profiles(settings: Settings, confdir: Path, excluded: Collection[Path] = ()) -> Profiles:
    """Return all profiles that pages can name. An error concerns one profile, and is in ``Profiles.faults``.

    ``excluded`` are the folders of the docs and of the output: they do not count as parts of a project.
    Raises :class:`ProfileError` if a value is not a table of profiles, or ``djconn_environment`` is unknown.
    """
    reader = _Reader(settings, confdir, excluded)
    projects = {"demo": DEMO, "default": DEMO, **reader.read("project", reader.project)}
    if settings.project is not None:
        with reader.collecting_faults("project", "default", "djconn_project"):
            projects["default"] = reader.project(settings.project, "djconn_project")
    profiles = Profiles(
        {**SERVERS, **reader.read("server", read_server)},
        {**DATABASES, **reader.read("database", read_database)},
        reader.environments(),
        projects,
        reader.faults,
    )
    if ("environment", settings.environment) not in reader.faults:
        try:
            profiles.check_environment(settings.environment)
        except ProfileError as error:
            raise ProfileError(f"djconn_environment: {error.message}") from None
    return profiles


class _Reader:
    """Reads profiles, and collects ``faults`` by kind and name."""

    def __init__(self, settings: Settings, confdir: Path, excluded: Collection[Path]) -> None:
        self.faults: dict[tuple[str, str], ProfileError] = {}
        self._settings = settings
        self._confdir = confdir
        self._excluded = excluded

    def read(self, kind: str, parse_environment: Callable[[Any, str], _Profile]) -> dict[str, _Profile]:
        """Return the profiles of one kind by name, each read by ``parse_environment``."""
        variable = f"djconn_{kind}s"
        profiles = {}
        for name, table in tables(variable, getattr(self._settings, f"{kind}s")):
            with self.collecting_faults(kind, name, f"{variable}[{shortened(name)}]"):
                profiles[name] = parse_environment(table, f"{variable}[{name!r}]")
        return profiles

    def project(self, table: object, variable: str) -> Project:
        """Return the project in ``table``, without the excluded folders."""
        project = read_project(table, self._confdir, variable)
        inside = (path for path in self._excluded if project.path in path.parents)
        return replace(project, excluded=tuple(sorted(inside)))

    def environments(self) -> dict[str, Specification]:
        """Return the environments by name."""
        environments = {}
        for name, value in self._settings.environments.items():
            with self.collecting_faults("environment", name, f"djconn_environments[{shortened(name)}]"):
                # A replay does not look for interpreters.
                environments[name] = parse_environment(
                    name, value, self._confdir, check_paths=self._settings.mode != "replay"
                )
        return environments

    @contextmanager
    def collecting_faults(self, kind: str, name: str, variable: str) -> Iterator[None]:
        """Collect what the block raises: a :class:`ProfileError`, or an error that an invalid value causes.

        Such values are texts that are no paths, and objects that behave differently from their types.
        """
        try:
            yield
        except ProfileError as error:
            self.faults[kind, name] = error
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            OSError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            message = f"{variable} cannot be used ({type(error).__name__}: {shortened(str(error))})"
            fault = ProfileError(message)
            fault.__cause__ = error
            self.faults[kind, name] = fault
