"""The values of conf.py: registration, validation, and the descriptions for the reference page."""

import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from sphinx.application import Sphinx
from sphinx.config import Config

from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.limits import DEFAULT_TIMEOUT, MAX_TIMEOUT
from sphinx_djconn.scenario.model import GARBAGE_COLLECTION

MODES: Final = ("auto", "run", "replay")

_JOBS_MOST: Final = 1000
_SHOWN_LENGTH: Final = 60
_TYPE_NAMES: Final[Mapping[type, str]] = {
    bool: "True or False",
    dict: "a dictionary",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
    tuple: "a tuple",
    type(None): "None",
}
"""The names of types in messages."""

_AUTOMATIC: Final = "automatic"


def _value(default: Any, types: tuple[type, ...], description: str) -> Any:
    metadata = {"types": types, "description": description}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The values of conf.py, as they are written there; names are without the prefix ``djconn_``."""

    project: Any = _value(
        None,
        (dict, tuple, list, type(None)),
        "the Django project that scenarios run: ``{'path': …, 'settings': …, 'fixtures': […], 'env': {…}, "
        "'timeout': …}``, with the folder that contains ``manage.py`` (relative to conf.py), the settings "
        "module, fixtures as for ``loaddata``, environment variables of the server's processes (in their "
        "values, ``{folder}`` is replaced with a folder that each run has to itself), and how many seconds "
        "its migrations and fixtures may take; the last three are optional. The demo site by default",
    )
    projects: Any = _value({}, (dict,), "more projects by name, each as ``djconn_project``, for ``:project:``")
    servers: Any = _value(
        {},
        (dict,),
        "more servers by name: ``{'command': […]}`` with ``{port}``, ``{wsgi}`` and the like, and if needed "
        "``requires``, ``env``, ``apps``, ``reloads``, ``refuses_root``, ``stop_seconds``, ``log_limit`` "
        "(bytes)",
    )
    databases: Any = _value(
        {},
        (dict,),
        "more databases by name: ``{'kind': 'postgresql'}`` or ``'mariadb'``, and if needed ``dsn`` (of a "
        "server that is running; else the build starts one), ``options`` (Django's ``OPTIONS``), "
        "``max_connections`` and ``server_settings`` (for a server that the scenario does not share)",
    )
    environments: Any = _value(
        {},
        (dict,),
        "more environments by name: a list of requirements, such as ``['django~=4.2.0', 'gunicorn']``, or a "
        "table with ``python`` (the path of an interpreter), ``path`` (a checkout of Django), "
        "``requirements``, or several of them; paths are relative to conf.py",
    )
    environment: str = _value(
        "current",
        (str,),
        "the default environment of scenarios: ``-D djconn_environment=django-6.0`` checks all of them in "
        "another one",
    )
    garbage_collection: str = _value(
        _AUTOMATIC,
        (str,),
        "when Python's garbage collector can run in the servers, unless a scenario sets it: ``automatic``, "
        "``off`` or ``each-request``",
    )
    unsupported_pythons: bool = _value(
        False,
        (bool,),
        "whether to run a Django with a newer Python than it supports, if this machine has none that it "
        "supports; the evidence then says so. By default, such an environment cannot be used",
    )
    mode: str = _value(
        "auto",
        (str,),
        "``auto`` runs what has no valid recording, ``run`` runs all, ``replay`` runs nothing",
    )
    recordings: str | None = _value(
        None,
        (str, type(None)),
        "the folder of the recordings, relative to conf.py, if you want to commit them; by default, they "
        "are stored with the doctrees",
    )
    jobs: int = _value(0, (int,), "how many scenarios run at once; 0 for two per processor")
    warm: bool = _value(
        True,
        (bool,),
        "whether runs start from a process that has already imported Django, if possible; ``False`` starts "
        "each server with its command, with the same trace",
    )
    minimum_claims: int = _value(
        0,
        (int,),
        "the minimum number of claims: with fewer, the check fails. Set it, so that you notice if a mistake "
        "hides a claim, or a whole page, from Sphinx",
    )
    timeout: float = _value(
        DEFAULT_TIMEOUT,
        (float, int),
        "how long one run may take, in seconds; above 120, it is also the limit for a project's migrations "
        "and fixtures, unless the project has its own ``timeout``",
    )

    @classmethod
    def of(cls, config: Config) -> "Settings":
        """Return the settings in ``config``; raise :class:`ProfileError` for an invalid one."""
        settings = cls(**config_values(config))
        for setting in fields(cls):
            value = getattr(settings, setting.name)
            _check_type(f"djconn_{setting.name}", value, setting.metadata["types"])
        if settings.mode not in MODES:
            raise ProfileError(f"djconn_mode is {settings.mode!r}; it must be one of {', '.join(MODES)}")
        if settings.garbage_collection not in (_AUTOMATIC, *GARBAGE_COLLECTION):
            valid = ", ".join(GARBAGE_COLLECTION)
            raise ProfileError(
                f"djconn_garbage_collection is {settings.garbage_collection!r}; it must be one of {valid}"
            )
        if settings.minimum_claims < 0:
            raise ProfileError("djconn_minimum_claims must be 0, for no minimum, or a number above it")
        if not 0 < settings.timeout <= MAX_TIMEOUT:
            raise ProfileError(f"djconn_timeout must be a number of seconds above 0 and up to {MAX_TIMEOUT:,}")
        if not 0 <= settings.jobs <= _JOBS_MOST:
            raise ProfileError(
                f"djconn_jobs must be 0, for two per processor, or a number up to {_JOBS_MOST:,}"
            )
        return settings

    def recordings_folder(self, confdir: Path, doctrees: Path) -> Path:
        """Return the folder of the recordings."""
        if self.recordings is None:
            return doctrees / "djconn" / "recordings"
        return confdir / self.recordings

    @property
    def at_once(self) -> int:
        """How many scenarios run at once. They mostly wait, so there are two for each processor by default."""
        return self.jobs or 2 * (os.cpu_count() or 1)


def _check_type(name: str, value: object, types: tuple[type, ...]) -> None:
    """Raise :class:`ProfileError` if ``value`` is of none of ``types``; True and False are no numbers."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        valid = " or ".join(_TYPE_NAMES[type_] for type_ in types)
        raise ProfileError(f"{name} is {shortened(value)}; it must be {valid}")


def shortened(value: object) -> str:
    """Return the ``repr`` of ``value`` for a message, cut if it is long."""
    text = reprlib.repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"


def config_values(config: Config) -> dict[str, Any]:
    """Return all values of ours in ``config``, by their names without prefix."""
    return {setting.name: config[f"djconn_{setting.name}"] for setting in fields(Settings)}


def described() -> Mapping[str, tuple[Any, str]]:
    """Return the default and the description of every value, by name, for the reference page."""
    defaults = Settings()
    return {
        f"djconn_{setting.name}": (getattr(defaults, setting.name), setting.metadata["description"])
        for setting in fields(Settings)
    }


def setup(app: Sphinx) -> None:
    """Register every value. A change re-reads no page: fingerprints of recordings include what matters."""
    defaults = Settings()
    for setting in fields(Settings):
        default = getattr(defaults, setting.name)
        # These two are part of every scenario that does not set them.
        in_scenarios = setting.name in ("environment", "garbage_collection")
        rebuild: Literal["env", ""] = "env" if in_scenarios else ""
        app.add_config_value(f"djconn_{setting.name}", default, rebuild, setting.metadata["types"])
