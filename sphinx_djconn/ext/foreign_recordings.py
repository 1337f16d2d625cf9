"""Recordings of other machines: whether one can be used for a scenario that this machine cannot run."""

from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.store import Header, Key

_MACHINE_PARTS: Final = frozenset({"python", "database server"})
"""The parts of a fingerprint that may differ from machine to machine."""


def is_usable(stored: Header, fingerprint: Key, profiles: Profiles) -> bool:
    """Return whether ``stored`` matches ``fingerprint``, and was made with all that the scenario requires.

    The project, the server's command and the database's settings in conf.py, and this extension, must be the
    same; so must Django, if this machine has the scenario's environment.
    """
    if set(fingerprint.differences(stored.key)) - _MACHINE_PARTS:
        return False
    environment = profiles.environment(fingerprint.scenario)
    if "django" not in fingerprint.parts and not environment.requirements:
        return False  # an interpreter or a checkout of Django: there is no version to compare
    required = (*environment.requirements, *profiles.servers[fingerprint.scenario.server].requires)
    pinned = (line.split("==", 1) for line in stored.environment if "==" in line)
    versions: dict[str, str] = {canonicalize_name(name): version for name, version in pinned}
    return all(_is_satisfied(Requirement(requirement), versions) for requirement in required)


def _is_satisfied(requirement: Requirement, versions: dict[str, str]) -> bool:
    version = versions.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)
