"""Parse the environments of conf.py and the built-in names. Nothing is looked up or created here."""

import difflib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

from sphinx_djconn.lab.environments.environment import CURRENT
from sphinx_djconn.lab.environments.freeze import canonical
from sphinx_djconn.lab.environments.python_versions import SERIES
from sphinx_djconn.lab.errors import ProfileError

VARIABLE: Final = "djconn_environments"
_BUILT_IN: Final = re.compile(r"django-(\d+)\.(\d+)(?:\.(\d+))?")
_KEYS: Final = ("path", "python", "requirements")
_FORMS: Final = (
    "a list of requirements, such as ['django~=4.2.0', 'gunicorn'], or a table with 'python' (the path of an "
    "interpreter), 'path' (a checkout of Django), 'requirements', or several of them"
)


@dataclass(frozen=True)
class Specification:
    """What an environment has to be: an existing interpreter, or what to install for one."""

    name: str
    requirements: tuple[str, ...] = ()
    python: str = ""
    """The path of an interpreter. If it is empty, the newest one that the Django supports is used."""

    checkout: str = ""
    """The path of a checkout of Django, which replaces a release."""

    @property
    def needs_creation(self) -> bool:
        """Whether something has to be installed. If not, it is an existing interpreter."""
        return bool(self.requirements or self.checkout)

    @property
    def django(self) -> Requirement | None:
        """The requirement for Django, if it has one."""
        return next((each for each in map(Requirement, self.requirements) if _is_django(each)), None)

    @property
    def beside_django(self) -> tuple[str, ...]:
        """The other requirements."""
        return tuple(each for each in self.requirements if not _is_django(Requirement(each)))

    def with_requirements(self, requirements: Sequence[str]) -> "Specification":
        """Return a copy with more ``requirements``, such as those of a server and a driver.

        Distributions that it has a requirement for already are left out: conf.py takes precedence. Nothing is
        added to an existing interpreter.
        """
        if not self.needs_creation:
            return self
        names = {canonical(Requirement(each).name) for each in self.requirements}
        more = [each for each in requirements if canonical(Requirement(each).name) not in names]
        return replace(self, requirements=(*self.requirements, *more))


def built_in(name: str) -> Specification | None:
    """Return ``current``, ``django-X.Y`` (its newest release) or ``django-X.Y.Z``; ``None`` for another name.

    Raises :class:`ProfileError` if there was no such Django, or if it is too old for the probe.
    """
    if name == CURRENT:
        return Specification(CURRENT, python=sys.executable)
    match = _BUILT_IN.fullmatch(name)
    if match is None:
        return None
    series = (int(match[1]), int(match[2]))
    if series not in SERIES and series < max(SERIES):
        names = [f"django-{major}.{minor}" for major, minor in SERIES]
        near = difflib.get_close_matches(f"django-{match[1]}.{match[2]}", names, n=1)
        raise ProfileError(
            f"there is no environment `{name}`: no Django {match[1]}.{match[2]} was released, or it is older "
            f"than 1.11; did you mean `{near[0] if near else names[-1]}`? Known: {', '.join(names)} and newer"
        )
    version = f"{match[1]}.{match[2]}"
    return Specification(name, (f"django=={version}.{match[3]}" if match[3] else f"django~={version}.0",))


def find_specification(name: str, configured: Mapping[str, Specification]) -> Specification:
    """Return the environment ``name``, which is one of ``configured``, those of conf.py, or built in.

    Raises :class:`ProfileError`, which suggests the most similar name.
    """
    specification = configured.get(name) or built_in(name)
    if specification is not None:
        return specification
    names = [
        *configured,
        *([] if CURRENT in configured else [CURRENT]),
        *(f"django-{a}.{b}" for a, b in SERIES),
    ]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    suggestion = f"; did you mean `{near[0]}`?" if near else "."
    raise ProfileError(f"unknown environment `{name}`{suggestion} Known: {', '.join(names)} and django-X.Y.Z")


def parse_environments(table: object, confdir: Path) -> dict[str, Specification]:
    """Return the environments of ``djconn_environments``, by name. Paths are relative to conf.py's folder.

    Raises :class:`ProfileError`, which says where and what.
    """
    if not isinstance(table, Mapping) or not all(isinstance(name, str) for name in table):
        raise ProfileError(f"{VARIABLE} in conf.py must be a table of names, each with {_FORMS}")
    return {name: parse_environment(name, value, confdir) for name, value in table.items()}


def parse_environment(name: str, value: Any, confdir: Path, *, check_paths: bool = True) -> Specification:
    """Return the environment ``name`` of ``djconn_environments``, from its ``value`` there.

    ``check_paths`` is false if nothing is going to run. Raises :class:`ProfileError`.
    """
    where = f"{VARIABLE}[{name!r}] in conf.py"
    if name == CURRENT:
        raise ProfileError(f"{where}: `{CURRENT}` is the environment that builds the docs; choose another name")
    if isinstance(value, (list, tuple)):
        value = {"requirements": value}
    if not isinstance(value, Mapping) or not value:
        raise ProfileError(f"{where} must be {_FORMS}")
    for key in value:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            suggestion = f"; did you mean '{near[0]}'?" if near else "."
            raise ProfileError(f"{where}: there is no '{key}'{suggestion} Known: {', '.join(_KEYS)}")
    requirements = _parse_requirements(where, value.get("requirements", ()))
    python = _parse_path(where, "python", value.get("python", ""), confdir)
    checkout = _parse_path(where, "path", value.get("path", ""), confdir)
    if check_paths and checkout and not Path(checkout, "django", "__init__.py").is_file():
        raise ProfileError(
            f"{where}: {checkout} is no checkout of Django: it has no django/__init__.py; 'path' must lead "
            "from conf.py to the folder that Django's pyproject.toml is in. For an interpreter, write 'python'"
        )
    specification = Specification(name, requirements, python, checkout)
    if not (specification.needs_creation or python):
        raise ProfileError(f"{where} must be {_FORMS}")
    if checkout and specification.django:
        raise ProfileError(
            f"{where}: 'path' is a checkout of Django, and 'requirements' name Django; leave one out"
        )
    if requirements and not checkout and specification.django is None:
        raise ProfileError(
            f"{where}: no Django is among the requirements {', '.join(requirements)}; add one, such as "
            "'django~=4.2.0'"
        )
    return specification


def _parse_requirements(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ProfileError(
            f"{where}: the requirements must be a list of strings, as for pip: ['django~=4.2.0']"
        )
    for text in value:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            raise ProfileError(
                f"{where}: `{text}` is no requirement ({str(error).splitlines()[0]}); write it as for pip, "
                "such as 'django~=4.2.0' or 'gunicorn>=22'"
            ) from None
    return tuple(value)


def _parse_path(where: str, key: str, value: object, confdir: Path) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ProfileError(f"{where}: '{key}' must be a path, and is {value!r}")
    if not os.fspath(value):
        return ""
    # Not resolved: the python of a virtual environment is a symlink, and its target has no Django.
    return os.path.abspath(confdir / Path(value).expanduser())  # noqa: PTH100


def _is_django(requirement: Requirement) -> bool:
    return canonical(requirement.name) == "django"
