"""The values of conf.py: what Sphinx registers, what is checked, and the page that lists them."""

import os
import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from sphinx.application import Sphinx
from sphinx.config import Config

from sphinx_djconn.lab.limits import DEFAULT_TIMEOUT, MAX_TIMEOUT

if TYPE_CHECKING:
    from sphinx_djconn.lab.environments.specification import Specification
    from sphinx_djconn.lab.errors import ProfileError
    from sphinx_djconn.lab.profiles.profiles import Profiles

_Profile = TypeVar("_Profile")

MODES: Final = ("auto", "run", "replay")

_MOST_JOBS: Final = 1000
_SHOWN: Final = 60
_KINDS: Final[Mapping[type, str]] = {
    bool: "True or False",
    dict: "a dictionary",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
    tuple: "a tuple",
    type(None): "None",
}
"""What messages call the types of values."""


def _value(default: Any, types: tuple[type, ...], description: str) -> Any:
    told = {"types": types, "description": description}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=told)
    return field(default=default, metadata=told)


_AUTOMATIC: Final = "automatic"


def _check_garbage_collection(value: str) -> None:
    from sphinx_djconn.lab.errors import ProfileError  # noqa: PLC0415 - builds with no change just register values
    from sphinx_djconn.scenario.model import GARBAGE_COLLECTION  # noqa: PLC0415

    if value not in GARBAGE_COLLECTION:
        known = ", ".join(GARBAGE_COLLECTION)
        raise ProfileError(f"djconn_garbage_collection is {value!r}; it must be one of {known}")


@dataclass(frozen=True)
class Settings:
    """Every value of conf.py, as it stands there; names are without the prefix ``djconn_``."""

    project: Any = _value(
        None,
        (dict, tuple, list, type(None)),
        "the Django project that scenarios run: ``{'path': …, 'settings': …, 'fixtures': […], 'env': {…}, "
        "'timeout': …}``, with the folder that ``manage.py`` is in (seen from conf.py), the settings module, "
        "fixtures as for ``loaddata``, variables of the server's processes, in whose values ``{folder}`` "
        "stands for a folder of the run's own, and how many seconds its migrations and fixtures may take; the "
        "last three can be left out. The demo site where it is not set",
    )
    projects: Any = _value({}, (dict,), "more projects by name, each as ``djconn_project``, for ``:project:``")
    servers: Any = _value(
        {},
        (dict,),
        "more servers by name: ``{'command': […]}`` with ``{port}``, ``{wsgi}`` and the like, and if "
        "needed ``requires``, ``env``, ``apps``, ``reloads``, ``refuses_root``, ``stop_seconds``, "
        "``log_limit`` (bytes)",
    )
    databases: Any = _value(
        {},
        (dict,),
        "more databases by name: ``{'kind': 'postgresql'}`` or ``'mariadb'``, and if needed ``dsn`` (a server "
        "that is there; else the build starts one), ``options`` (Django's ``OPTIONS``), ``max_connections`` "
        "and ``server_settings`` (of a server that the scenario has to itself)",
    )
    environments: Any = _value(
        {},
        (dict,),
        "more environments by name: a list of requirements, such as ``['django~=4.2.0', 'gunicorn']``, or a "
        "table with ``python`` (the path of an interpreter), ``path`` (a checkout of Django), "
        "``requirements``, or several of them; paths are seen from conf.py",
    )
    environment: str = _value(
        "current",
        (str,),
        "the environment of scenarios that name none: ``-D djconn_environment=django-6.0`` checks all of them "
        "in another",
    )
    garbage_collection: str = _value(
        _AUTOMATIC,
        (str,),
        "when Python's garbage collector can run in the servers of scenarios that do not say it: "
        "``automatic``, ``off`` or ``each-request``",
    )
    unsupported_pythons: bool = _value(
        False,
        (bool,),
        "whether a Django for which this machine has no Python that it supports is run with the next newer "
        "one, as its evidence then says; else there is no such environment",
    )
    mode: str = _value(
        "auto",
        (str,),
        "``auto`` runs what has no valid recording, ``run`` runs all, ``replay`` runs nothing",
    )
    recordings: str | None = _value(
        None,
        (str, type(None)),
        "a folder to keep recordings in, seen from conf.py, to be committed; with the doctrees where "
        "it is not set",
    )
    jobs: int = _value(0, (int,), "how many scenarios run at once; 0 for two a processor")
    warm: bool = _value(
        True,
        (bool,),
        "whether runs start from a process that has imported Django already, where that is possible; "
        "``False`` starts each from the command line, with the same trace",
    )
    minimum_claims: int = _value(
        0,
        (int,),
        "how many claims the pages make at least: with fewer, the check fails. Set it, so that a mistake by "
        "which Sphinx no longer sees a claim, or a whole page, doesn't go unnoticed",
    )
    timeout: float = _value(
        DEFAULT_TIMEOUT,
        (float, int),
        "how long one run may take, in seconds; above 120, it is also how long a project's migrations and "
        "fixtures may take, where the project has no ``timeout`` of its own",
    )

    @classmethod
    def of(cls, config: Config) -> "Settings":
        """Return the settings in ``config``; raise :class:`ProfileError` for one of no use."""
        from sphinx_djconn.lab.errors import ProfileError  # noqa: PLC0415 - builds with no change just register values

        settings = cls(**given(config))
        for each in fields(cls):
            _check_type(f"djconn_{each.name}", getattr(settings, each.name), each.metadata["types"])
        if settings.mode not in MODES:
            raise ProfileError(f"djconn_mode is {settings.mode!r}; it must be one of {', '.join(MODES)}")
        if settings.garbage_collection != _AUTOMATIC:
            _check_garbage_collection(settings.garbage_collection)
        if settings.minimum_claims < 0:
            raise ProfileError("djconn_minimum_claims must be 0, for no minimum, or a number above it")
        if not 0 < settings.timeout <= MAX_TIMEOUT:
            raise ProfileError(f"djconn_timeout must be a number of seconds above 0 and up to {MAX_TIMEOUT:,}")
        if not 0 <= settings.jobs <= _MOST_JOBS:
            raise ProfileError(f"djconn_jobs must be 0, for two a processor, or a number up to {_MOST_JOBS:,}")
        return settings

    def profiles(self, confdir: Path, apart: Collection[Path] = ()) -> "Profiles":
        """Return all profiles that pages can name, each with its faults.

        ``apart`` are the folders of the docs and of what they become: they may lie within a project.
        Raises :class:`ProfileError` where a value holds no profiles at all.
        """
        from sphinx_djconn.lab.errors import ProfileError  # noqa: PLC0415 - as above
        from sphinx_djconn.lab.profiles.databases import DATABASES, read_database  # noqa: PLC0415
        from sphinx_djconn.lab.profiles.profiles import (  # noqa: PLC0415
            DEMO,
            Profiles,
            Project,
            read_project,
            read_server,
            tables,
        )
        from sphinx_djconn.lab.profiles.servers import SERVERS  # noqa: PLC0415

        faults: dict[tuple[str, str], ProfileError] = {}

        def project(table: object, variable: str) -> Project:
            found = read_project(table, confdir, variable)
            inside = (path for path in apart if found.path in path.parents)
            return replace(found, apart=tuple(sorted(inside)))

        def found(kind: str, read: Callable[[Any, str], _Profile]) -> dict[str, _Profile]:
            variable, profiles = f"djconn_{kind}s", {}
            for name, table in tables(variable, getattr(self, f"{kind}s")):
                try:
                    with _usable(f"{variable}[{shown(name)}]"):
                        profiles[name] = read(table, f"{variable}[{name!r}]")
                except ProfileError as error:
                    faults[kind, name] = error
            return profiles

        projects = {"demo": DEMO, "default": DEMO, **found("project", project)}
        if self.project is not None:
            try:
                with _usable("djconn_project"):
                    projects["default"] = project(self.project, "djconn_project")
            except ProfileError as error:
                faults["project", "default"] = error
        profiles = Profiles(
            {**SERVERS, **found("server", read_server)},
            {**DATABASES, **found("database", read_database)},
            self._environments(confdir, faults),
            projects,
            faults,
        )
        if ("environment", self.environment) not in faults:
            try:
                profiles.check_environment(self.environment)
            except ProfileError as error:
                raise ProfileError(f"djconn_environment: {error.message}") from None
        return profiles

    def _environments(
        self, confdir: Path, faults: "dict[tuple[str, str], ProfileError]"
    ) -> "dict[str, Specification]":
        if not self.environments:
            return {}
        from sphinx_djconn.lab.environments.specification import parse_environment  # noqa: PLC0415 - it reads much
        from sphinx_djconn.lab.errors import ProfileError  # noqa: PLC0415 - as above

        found = {}
        for name, given in self.environments.items():
            try:
                with _usable(f"djconn_environments[{shown(name)}]"):
                    found[name] = parse_environment(name, given, confdir, check_paths=self.mode != "replay")
            except ProfileError as error:
                faults["environment", name] = error
        return found

    def recordings_folder(self, confdir: Path, doctrees: Path) -> Path:
        """Return the folder that recordings are kept in."""
        if self.recordings is None:
            return doctrees / "djconn" / "recordings"
        return confdir / self.recordings

    @property
    def at_once(self) -> int:
        """How many scenarios run at once: while some wait, for a reload or an age, others work."""
        return self.jobs or 2 * (os.cpu_count() or 1)


def _check_type(name: str, value: object, types: tuple[type, ...]) -> None:
    """Raise :class:`ProfileError` where ``value`` is of none of ``types``; True and False are no numbers."""
    from sphinx_djconn.lab.errors import ProfileError  # noqa: PLC0415 - as above

    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        known = " or ".join(_KINDS[each] for each in types)
        raise ProfileError(f"{name} is {shown(value)}; it must be {known}")


@contextmanager
def _usable(variable: str) -> Iterator[None]:
    """Raise :class:`ProfileError` where what the block reads is a value that nothing could be done with.

    Such are texts that cannot be paths, and objects that are not what they look like.
    """
    from sphinx_djconn.lab.errors import ProfileError  # noqa: PLC0415 - as above

    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ProfileError(
            f"{variable} cannot be used ({type(error).__name__}: {shown(str(error))})"
        ) from error


def shown(value: object) -> str:
    """Return ``value`` for a message, cut where it is long."""
    text = reprlib.repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def given(config: Config) -> dict[str, Any]:
    """Return every value as conf.py has it, by its name here."""
    return {each.name: config[f"djconn_{each.name}"] for each in fields(Settings)}


def described() -> Mapping[str, tuple[Any, str]]:
    """Return name, default and description of every value, for the page that lists them."""
    defaults = Settings()
    return {
        f"djconn_{each.name}": (getattr(defaults, each.name), each.metadata["description"])
        for each in fields(Settings)
    }


def setup(app: Sphinx) -> None:
    """Register every value. A change of one re-reads no page: recordings know what they depend on."""
    defaults = Settings()
    for each in fields(Settings):
        default = getattr(defaults, each.name)
        # Except for these, which are part of every scenario that names none.
        inherited = each.name in ("environment", "garbage_collection")
        rebuild: Literal["env", ""] = "env" if inherited else ""
        app.add_config_value(f"djconn_{each.name}", default, rebuild, each.metadata["types"])
