"""Profiles: what the names on a page mean. Only conf.py can add to them.

The rest of the lab knows no server, database or environment by name.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never

from sphinx_djconn.lab.environments.environment import CURRENT
from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.limits import MAX_TIMEOUT
from sphinx_djconn.lab.profiles.databases import DATABASES, Database
from sphinx_djconn.lab.profiles.servers import PLACES, SERVERS, Server, unknown_places
from sphinx_djconn.scenario.model import Close, DatabaseFault, Reload, Request, Scenario, Together, Wait

if TYPE_CHECKING:
    from sphinx_djconn.lab.environments.specification import Specification

Profile = TypeVar("Profile")

_MOST_LOG: Final = 1 << 34

OWN_VARIABLES: Final = frozenset(
    {"DJANGO_SETTINGS_MODULE", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH"}
)
"""Variables that every process of a run is given by the lab."""


@dataclass(frozen=True)
class Project:
    """A Django project: the folder its ``manage.py`` is in, its settings module, its fixtures.

    ``env`` are variables of its servers' processes, in whose values ``{folder}`` stands for the run's folder.
    ``apart`` are folders within it that no run depends on, as those of the docs and what they become.
    ``timeout`` is how many seconds its migrations and fixtures may take; ``None`` for the limit of the build.
    """

    path: Path
    settings: str
    fixtures: tuple[str, ...] = ()
    apart: tuple[Path, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    timeout: float | None = None

    def application(self, interface: str) -> str:
        """Return where the project's application is, as servers take it; ``interface`` is wsgi or asgi.

        That is the module which ``startproject`` makes beside the settings, or above them. Where there is
        none, a module of the lab's follows the settings, as ``runserver`` does.
        """
        package, _, _ = self.settings.rpartition(".")
        while package:
            if self.path.joinpath(*package.split("."), f"{interface}.py").is_file():
                return f"{package}.{interface}:application"
            package, _, _ = package.rpartition(".")
        return f"djconn_{interface}:application"


def _demo_site() -> Project:
    package = Path(__file__).parents[2]
    places = (package / "_demo_site", package.parent / "demo_site")  # a wheel's, a checkout's
    path = next((place for place in places if (place / "manage.py").is_file()), places[0])
    return Project(path, "mysite.settings", ("polls",))


DEMO: Final = _demo_site()
"""The project that is run where conf.py names none."""


@dataclass(frozen=True)
class Profiles:
    """Every profile that a page can name: the built-in ones and conf.py's.

    ``faults`` says, by kind and name, what is wrong with those that cannot be used.
    """

    servers: Mapping[str, Server] = field(default_factory=lambda: SERVERS)
    databases: Mapping[str, Database] = field(default_factory=lambda: DATABASES)
    environments: "Mapping[str, Specification]" = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=lambda: {"default": DEMO, "demo": DEMO})
    faults: Mapping[tuple[str, str], ProfileError] = field(default_factory=dict)

    def check(self, scenario: Scenario) -> None:
        """Raise :class:`ProfileError` where ``scenario`` names or asks what is not there."""
        for each in (
            ("server", scenario.server),
            ("database", scenario.database),
            ("environment", scenario.environment),
            ("project", scenario.project),
        ):
            if each in self.faults:
                raise self.faults[each]
        server = find("server", scenario.server, self.servers)
        database = find("database", scenario.database, self.databases)
        self.check_environment(scenario.environment)
        find("project", scenario.project, self.projects)
        for step in scenario.sequence.steps:
            match step:
                case Reload() if not server.reloads:
                    able = ", ".join(name for name, each in self.servers.items() if each.reloads)
                    raise ProfileError(
                        f"the step `reload` needs a server that reloads, which `{scenario.server}` does "
                        f"not; use one of: {able}",
                        step.line,
                    )
                case DatabaseFault(action=action) if not database.has_server:
                    able = ", ".join(name for name, each in self.databases.items() if each.has_server)
                    raise ProfileError(
                        f"the step `database: {action}` needs a database server, and "
                        f"`{scenario.database}` has none; use one of: {able}",
                        step.line,
                    )
                case DatabaseFault(action="restart") if database.dsn is not None:
                    raise ProfileError(
                        "the step `database: restart` needs a server that the build starts, and "
                        f"`{scenario.database}` is one that conf.py names: others may be using it; take 'dsn' "
                        "out of conf.py, or the step out of the page",
                        step.line,
                    )
                case Request() | Close() | Together() | Wait() | Reload() | DatabaseFault():
                    pass
                case _:
                    assert_never(step)

    def check_environment(self, name: str) -> None:
        """Raise :class:`ProfileError` where there is no environment ``name``, built in or in conf.py."""
        if name != CURRENT:
            from sphinx_djconn.lab.environments.specification import find_specification as find_environment  # noqa: PLC0415 - it reads much

            find_environment(name, self.environments)

    def environment(self, scenario: Scenario) -> "Specification":
        """Return what the environment of ``scenario`` is to be, with its server, and its database's driver."""
        from sphinx_djconn.lab.environments.drivers import driver  # noqa: PLC0415
        from sphinx_djconn.lab.environments.python_versions import newest_series  # noqa: PLC0415
        from sphinx_djconn.lab.environments.specification import find_specification as find_environment  # noqa: PLC0415 - as above

        found = find_environment(scenario.environment, self.environments)
        database = self.databases[scenario.database]
        drivers = driver(database.kind, newest_series(found.django), pool=database.has_pool)
        return found.with_requirements([*self.servers[scenario.server].requires, *drivers])


def find(kind: str, name: str, profiles: Mapping[str, Profile]) -> Profile:
    """Return the profile ``name``; raise :class:`ProfileError` that names the nearest ones."""
    if name in profiles:
        return profiles[name]
    near = difflib.get_close_matches(name, profiles, n=1)
    meant = f"; did you mean `{near[0]}`?" if near else "."
    raise ProfileError(f"unknown {kind} `{name}`{meant} Known: {', '.join(profiles)}")


def read_server(table: Mapping[str, Any], variable: str) -> Server:
    """Return the server that ``table``, a value of ``djconn_servers``, describes."""
    known = {each.name for each in fields(Server)}
    _only(variable, table, known)
    command = table.get("command")
    if not isinstance(command, (list, tuple)) or not command or not _texts(command):
        raise ProfileError(
            f"{variable}['command'] must be a list of words, such as "
            "['gunicorn', '--bind=127.0.0.1:{port}', '{wsgi}']"
        )
    env = table.get("env", {})
    if not isinstance(env, Mapping) or not _texts([*env, *env.values()]):
        raise ProfileError(f"{variable}['env'] must be a dictionary of texts")
    for key in ("requires", "apps"):
        if not isinstance(table.get(key, ()), (list, tuple)) or not _texts(table.get(key, ())):
            raise ProfileError(f"{variable}[{key!r}] must be a list of names")
    for place in unknown_places((*command, *env.values())):
        raise ProfileError(
            f"{variable}: `{{{place}}}` means nothing. Known: {', '.join(f'{{{each}}}' for each in PLACES)}"
        )
    stop_seconds, log_limit = (
        table.get("stop_seconds", Server.stop_seconds),
        table.get("log_limit", Server.log_limit),
    )
    if not is_seconds(stop_seconds) and stop_seconds != 0:
        raise ProfileError(f"{variable}['stop_seconds'] must be a number from 0 to {MAX_TIMEOUT:,}")
    if not isinstance(log_limit, int) or isinstance(log_limit, bool) or not 0 < log_limit <= _MOST_LOG:
        raise ProfileError(f"{variable}['log_limit'] must be a number of bytes from 1 to {_MOST_LOG:,}")
    return Server(
        tuple(command),
        requires=tuple(table.get("requires", ())),
        apps=tuple(table.get("apps", ())),
        reloads=bool(table.get("reloads", False)),
        refuses_root=bool(table.get("refuses_root", False)),
        env=tuple(sorted(env.items())),
        stop_seconds=float(stop_seconds),
        log_limit=log_limit,
    )


def read_project(value: object, confdir: Path, variable: str = "djconn_project") -> Project:
    """Return the project of ``djconn_project``: a table with ``path``, ``settings``, ``fixtures``, ``env``."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and _texts(value):  # noqa: PLR2004
        value = {"path": value[0], "settings": value[1]}
    if not isinstance(value, Mapping) or not {"path", "settings"} <= value.keys():
        raise ProfileError(
            f"{variable} must be {{'path': ..., 'settings': ...}}, with 'fixtures' and 'env' if there are any: "
            "the folder that manage.py is in, seen from conf.py, and the settings module"
        )
    _only(variable, value, {"path", "settings", "fixtures", "env", "timeout"})
    path = (confdir / str(value["path"])).resolve()
    if not path.is_dir():
        raise ProfileError(
            f"{variable} in conf.py: there is no folder `{value['path']}`; 'path' must lead from "
            "conf.py to the folder that manage.py is in"
        )
    settings = str(value["settings"])
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(?<!\.py)", settings):
        raise ProfileError(f"{variable}: `{settings}` is no module name; write it as in DJANGO_SETTINGS_MODULE")
    fixtures = value.get("fixtures", ())
    if not isinstance(fixtures, (list, tuple)) or not _texts(fixtures):
        raise ProfileError(f"{variable}: 'fixtures' must be a list of names, as for loaddata")
    timeout = value.get("timeout")
    if timeout is not None and not is_seconds(timeout):
        raise ProfileError(
            f"{variable}['timeout'] must be a number of seconds above 0 and up to {MAX_TIMEOUT:,}: how long "
            "the migrations and fixtures may take"
        )
    env = _project_env(value.get("env", {}), variable)
    return Project(path, settings, tuple(fixtures), env=env, timeout=timeout)


def is_seconds(value: object) -> bool:
    """Return whether ``value`` is a number of seconds that a limit can have."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_TIMEOUT


def _project_env(env: object, variable: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(env, Mapping) or not _texts([*env, *env.values()]):
        raise ProfileError(
            f"{variable}['env'] must be a dictionary of texts, as {{'INDEX': '{{folder}}/index'}}"
        )
    for place in unknown_places(env.values(), ("folder",)):
        raise ProfileError(
            f"{variable}['env']: `{{{place}}}` means nothing. Known: {{folder}}, the run's own folder"
        )
    for name in env:
        if name in OWN_VARIABLES or name.startswith("DJCONN_") or "=" in name or not name:
            raise ProfileError(f"{variable}['env']: `{name}` cannot be set there; the extension sets it itself")
    return tuple(sorted(env.items()))


def tables(variable: str, value: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield name and table of each profile in ``value``, which conf.py has under ``variable``."""
    if not isinstance(value, Mapping):
        raise ProfileError(f"{variable} must be a dictionary of profiles by name")
    for name, table in value.items():
        if not isinstance(table, Mapping):
            raise ProfileError(f"{variable}[{name!r}] must be a dictionary")
        yield str(name), table


def _only(variable: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            raise ProfileError(f"{variable}: unknown key `{key}`. Known: {', '.join(sorted(known))}")


def _texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
