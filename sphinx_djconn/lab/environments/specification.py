"""What conf.py and the built-in names say of environments, as values; nothing is looked for or made here."""

import difflib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

from sphinx_djconn.lab.environments.environment import CURRENT
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
    """What an environment is to be: an interpreter that exists, or what is to be installed for one."""

    name: str
    requirements: tuple[str, ...] = ()
    python: str = ""
    """The path of an interpreter; nothing is the newest that the Django supports."""

    checkout: str = ""
    """The path of a checkout of Django, which takes the place of a release."""

    @property
    def is_made(self) -> bool:
        """Whether something has to be installed for it; else it is an interpreter as it is."""
        return bool(self.requirements or self.checkout)

    @property
    def django(self) -> Requirement | None:
        """The requirement for Django, where it has one."""
        return next((each for each in map(Requirement, self.requirements) if _is_django(each)), None)

    @property
    def beside_django(self) -> tuple[str, ...]:
        """The requirements but for Django's."""
        return tuple(each for each in self.requirements if not _is_django(Requirement(each)))

    def plus(self, requirements: Sequence[str]) -> "Specification":
        """Return it with more ``requirements``, such as a server's and a driver's.

        One for a distribution that it names already is left out: what conf.py says counts. An interpreter as it
        is stays so.
        """
        if not self.is_made:
            return self
        named = {_canonical(Requirement(each)) for each in self.requirements}
        more = [each for each in requirements if _canonical(Requirement(each)) not in named]
        return Specification(self.name, (*self.requirements, *more), self.python, self.checkout)


def built_in(name: str) -> Specification | None:
    """Return ``current``, ``django-X.Y`` (its newest release) or ``django-X.Y.Z``; nothing for another name.

    Raises :class:`ProfileError` for one of a Django that has never been, or is too old for the probe.
    """
    if name == CURRENT:
        return Specification(CURRENT, python=sys.executable)
    found = _BUILT_IN.fullmatch(name)
    if found is None:
        return None
    series = (int(found[1]), int(found[2]))
    if series not in SERIES and series < max(SERIES):
        known = [f"django-{major}.{minor}" for major, minor in SERIES]
        near = difflib.get_close_matches(f"django-{found[1]}.{found[2]}", known, n=1)
        raise ProfileError(
            f"there is no environment `{name}`: no Django {found[1]}.{found[2]} was released, or it is older "
            f"than 1.11; did you mean `{near[0] if near else known[-1]}`? Known: {', '.join(known)} and newer"
        )
    text = f"{found[1]}.{found[2]}"
    return Specification(name, (f"django=={text}.{found[3]}" if found[3] else f"django~={text}.0",))


def find(name: str, named: Mapping[str, Specification]) -> Specification:
    """Return the environment ``name``: one of conf.py's, which are ``named``, or a built-in one.

    Raises :class:`ProfileError` with the nearest right name.
    """
    found = named.get(name) or built_in(name)
    if found is not None:
        return found
    known = [*named, *([] if CURRENT in named else [CURRENT]), *(f"django-{a}.{b}" for a, b in SERIES)]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"; did you mean `{near[0]}`?" if near else "."
    raise ProfileError(f"unknown environment `{name}`{meant} Known: {', '.join(known)} and django-X.Y.Z")


def read(table: object, confdir: Path) -> dict[str, Specification]:
    """Return the environments of ``djconn_environments``, by name; paths are seen from conf.py's folder.

    Raises :class:`ProfileError`, which says where and what.
    """
    if not isinstance(table, Mapping) or not all(isinstance(each, str) for each in table):
        raise ProfileError(f"{VARIABLE} in conf.py must be a table of names, each with {_FORMS}")
    return {name: read_one(name, each, confdir) for name, each in table.items()}


def read_one(name: str, value: Any, confdir: Path, *, looked_for: bool = True) -> Specification:
    """Return the environment ``name`` of ``djconn_environments``, which has ``value`` for it.

    What is only named is not ``looked_for`` where nothing is to run. Raises :class:`ProfileError`.
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
            meant = f"; did you mean '{near[0]}'?" if near else "."
            raise ProfileError(f"{where}: there is no '{key}'{meant} Known: {', '.join(_KEYS)}")
    requirements = _requirements(where, value.get("requirements", ()))
    python = _path(where, "python", value.get("python", ""), confdir)
    checkout = _path(where, "path", value.get("path", ""), confdir)
    if looked_for and checkout and not Path(checkout, "django", "__init__.py").is_file():
        raise ProfileError(
            f"{where}: {checkout} is no checkout of Django: it has no django/__init__.py; 'path' must lead "
            "from conf.py to the folder that Django's pyproject.toml is in. For an interpreter, write 'python'"
        )
    made = Specification(name, requirements, python, checkout)
    if not (made.is_made or python):
        raise ProfileError(f"{where} must be {_FORMS}")
    if checkout and made.django:
        raise ProfileError(
            f"{where}: 'path' is a checkout of Django, and 'requirements' name Django; leave one out"
        )
    if requirements and not checkout and made.django is None:
        raise ProfileError(
            f"{where}: no Django is among the requirements {', '.join(requirements)}; add one, such as "
            "'django~=4.2.0'"
        )
    return made


def _requirements(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ProfileError(f"{where}: the requirements must be a list of texts, as for pip: ['django~=4.2.0']")
    for each in value:
        try:
            Requirement(each)
        except InvalidRequirement as error:
            raise ProfileError(
                f"{where}: `{each}` is no requirement ({str(error).splitlines()[0]}); write it as for pip, "
                "such as 'django~=4.2.0' or 'gunicorn>=22'"
            ) from None
    return tuple(value)


def _path(where: str, key: str, value: object, confdir: Path) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ProfileError(f"{where}: '{key}' must be a path, and is {value!r}")
    if not os.fspath(value):
        return ""
    # Not resolved: the program of a virtual environment is a link, and what it leads to has no Django.
    return os.path.abspath(confdir / Path(value).expanduser())  # noqa: PTH100


def _is_django(requirement: Requirement) -> bool:
    return _canonical(requirement) == "django"


def _canonical(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()
