"""Whether a server is installed, and where its program is."""

import os
import shutil
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.version import Version

from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.profiles.servers import Server

_ASGI: Final = Version("3.0")
"""The version that ASGI came with (Django's release notes)."""

_MODULES: Final = Version("2.1")
"""The version whose auto-reloader knows ``python -m``."""


def check_installed(name: str, server: Server, environment: Environment) -> None:
    """Raise :class:`AbsentError` where something that ``server`` needs is not in ``environment``."""
    if any("{asgi}" in word for word in server.command):
        _check_asgi(name, environment)
    for text in server.requires:
        requirement = Requirement(text)
        version = environment.installed.version(requirement.name)
        if not version:
            where = "that builds the docs" if environment.is_current else f"`{environment.name}`"
            raise AbsentError(
                f"the server `{name}` is not installed: there is no {requirement.name} in the environment "
                f"{where}; install it with {_how(server, environment)}"
            )
        if not requirement.specifier.contains(version, prereleases=True):
            raise AbsentError(
                f"the server `{name}` needs {requirement}, and {version} is installed; install another with "
                f"{_how(server, environment)}"
            )


def command_in(environment: Environment, server: Server) -> tuple[str, ...]:
    """Return the command of ``server`` as it has to be in ``environment``.

    Before Django 2.1, the auto-reloader could not start ``python -m django`` anew (ticket 28501).
    """
    command, django = server.command, environment.installed.version("django")
    module = command[:3] == ("{python}", "-m", "django")
    if not (module and server.reloads and django) or Version(django) >= _MODULES:
        return command
    return ("django-admin", *command[3:])


def program(word: str, python: str) -> str:
    """Return the path of the program ``word``: beside the interpreter ``python``, or on the PATH.

    Raises :class:`AbsentError` where it is in neither.
    """
    if os.sep in word:
        return word
    beside = Path(python).with_name(word)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(word)
    if found is None:
        raise AbsentError(
            f"the program `{word}` was looked for in {Path(python).parent} and on the PATH, and is in "
            "neither; install it, or name it with its folder in `djconn_servers`"
        )
    return found


def unprivileged(command: list[str]) -> list[str]:
    """Return ``command`` as it is to be started where the server must not be root.

    Root starts it in a user namespace that knows root's files as those of ``nobody``: a container has
    often no other user, and another could not read an interpreter in root's home.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return command
    unshare = shutil.which("unshare")
    if unshare is None:
        raise AbsentError(
            "the server does not run as root, and `unshare` of util-linux, which would start it as nobody, is "
            "not on the PATH; install util-linux, or build the docs as another user"
        )
    return [unshare, "--user", "--map-user=65534", "--map-group=65534", *command]


def _check_asgi(name: str, environment: Environment) -> None:
    django = environment.installed.version("django")
    if django and Version(django) < _ASGI:
        raise AbsentError(
            f"the server `{name}` serves ASGI, which came with Django {_ASGI}, and the environment "
            f"`{environment.name}` has Django {django}; use another server, or another environment"
        )


def _how(server: Server, environment: Environment) -> str:
    wanted = " ".join(f"'{each}'" if set("<>=") & set(each) else each for each in server.requires)
    if environment.is_current:
        return f"`pip install {wanted}`, or all servers with `pip install 'sphinx-djconn[servers]'`"
    if environment.base:
        return "another requirement for it in `djconn_environments`"
    return f"`python -m pip install {wanted}`, where `python` is that environment's"
