"""Project profiles: what ``:project:`` on a page refers to, and how conf.py describes one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.limits import MAX_TIMEOUT
from sphinx_djconn.lab.profiles.placeholders import unknown_placeholders
from sphinx_djconn.lab.profiles.tables import check_keys, is_string_list, is_string_table, is_timeout

_KEYS: Final = ("path", "settings", "fixtures", "env", "timeout")

_RESERVED_VARIABLES: Final = frozenset(
    {"DJANGO_SETTINGS_MODULE", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH"}
)
"""Environment variables that the lab sets for every process of a run."""


@dataclass(frozen=True)
class Project:
    """A Django project."""

    path: Path
    """The folder that contains ``manage.py``."""

    settings: str
    """The settings module, as in DJANGO_SETTINGS_MODULE."""

    fixtures: tuple[str, ...] = ()
    """Fixtures to load, as for ``loaddata``."""

    excluded: tuple[Path, ...] = ()
    """Folders within ``path`` that no run depends on, such as the docs and their output."""

    env: tuple[tuple[str, str], ...] = ()
    """Environment variables of its processes; ``{folder}`` in a value stands for the run's folder."""

    timeout: float | None = None
    """How many seconds its migrations and fixtures may take; ``None`` for the limit of the build."""

    def application(self, interface: str) -> str:
        """Return the project's application as servers take it; ``interface`` is ``wsgi`` or ``asgi``.

        It is in the module that ``startproject`` creates beside the settings, or in a package above them. If
        there is none, a module of the lab follows the settings, as ``runserver`` does.
        """
        package, _, _ = self.settings.rpartition(".")
        while package:
            if self.path.joinpath(*package.split("."), f"{interface}.py").is_file():
                return f"{package}.{interface}:application"
            package, _, _ = package.rpartition(".")
        return f"djconn_{interface}:application"


def _demo_site() -> Project:
    package = Path(__file__).parents[2]
    candidates = (package / "_demo_site", package.parent / "demo_site")  # in a wheel, in a checkout
    path = next((path for path in candidates if (path / "manage.py").is_file()), candidates[0])
    return Project(path, "mysite.settings", ("polls",))


DEMO: Final = _demo_site()
"""The project that runs if conf.py names none."""


def read_project(value: object, confdir: Path, variable: str = "djconn_project") -> Project:
    """Return the project that ``value`` describes, which is ``variable`` of the conf.py in ``confdir``.

    Raises :class:`ProfileError` if it is not usable.
    """
    if is_string_list(value) and len(value) == 2:  # noqa: PLR2004
        value = {"path": value[0], "settings": value[1]}
    if not isinstance(value, Mapping) or not {"path", "settings"} <= value.keys():
        raise ProfileError(
            f"{variable} must be {{'path': ..., 'settings': ...}}, with 'fixtures' and 'env' if there are any: "
            "the folder that contains manage.py, relative to conf.py, and the settings module"
        )
    check_keys(variable, value, _KEYS)
    path = (confdir / str(value["path"])).resolve()
    if not path.is_dir():
        raise ProfileError(
            f"{variable} in conf.py: there is no folder `{value['path']}`; 'path' must lead from "
            "conf.py to the folder that contains manage.py"
        )
    settings = str(value["settings"])
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(?<!\.py)", settings):
        raise ProfileError(
            f"{variable}: `{settings}` is not a module name; write it as in DJANGO_SETTINGS_MODULE"
        )
    fixtures = value.get("fixtures", ())
    if not is_string_list(fixtures):
        raise ProfileError(f"{variable}: 'fixtures' must be a list of names, as for loaddata")
    timeout = value.get("timeout")
    if timeout is not None and not is_timeout(timeout):
        raise ProfileError(
            f"{variable}['timeout'] must be a number of seconds above 0 and up to {MAX_TIMEOUT:,}: how long "
            "the migrations and fixtures may take"
        )
    env = _read_env(value.get("env", {}), variable)
    return Project(path, settings, tuple(fixtures), env=env, timeout=timeout)


def _read_env(env: object, variable: str) -> tuple[tuple[str, str], ...]:
    if not is_string_table(env):
        raise ProfileError(
            f"{variable}['env'] must be a dictionary of strings, such as {{'INDEX': '{{folder}}/index'}}"
        )
    for name in unknown_placeholders(env.values(), ("folder",)):
        raise ProfileError(
            f"{variable}['env']: unknown placeholder `{{{name}}}`. Known: {{folder}}, the run's own folder"
        )
    for name in env:
        if name in _RESERVED_VARIABLES or name.startswith("DJCONN_") or "=" in name or not name:
            raise ProfileError(f"{variable}['env']: `{name}` cannot be set there; the extension sets it itself")
    return tuple(sorted(env.items()))
