"""Whether a recording that was made on another machine can be used for a scenario that this one cannot run."""

from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from sphinx_djconn.lab.profiles.profiles import Profiles
    from sphinx_djconn.store import Header, Key

_OF_THE_MACHINE: Final = frozenset({"python", "database server"})
"""The parts of a key that differ because the recording was made on another machine."""


def is_usable(stored: "Header", key: "Key", profiles: "Profiles") -> bool:
    """Return whether ``stored`` was made from what ``key`` names, with what the scenario requires installed.

    What conf.py says of the project, the server's command, the database's settings and this extension have to
    be the same, and so does Django if this machine has the scenario's environment.
    """
    if set(key.differences(stored.key)) - _OF_THE_MACHINE:
        return False
    environment = profiles.environment(key.scenario)
    if "django" not in key.parts and not environment.requirements:
        return False  # an interpreter or a checkout of Django, which nothing can be compared with
    required = (*environment.requirements, *profiles.servers[key.scenario.server].requires)
    installed = (each.split("==", 1) for each in stored.environment if "==" in each)
    versions: dict[str, str] = {canonicalize_name(name): version for name, version in installed}
    return all(_is_satisfied(Requirement(each), versions) for each in required)


def _is_satisfied(requirement: Requirement, versions: dict[str, str]) -> bool:
    version = versions.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)
