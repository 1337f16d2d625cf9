"""Whether the requirements of a server are installed, and where its program is."""

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
"""The version of Django that introduced ASGI (release notes)."""

_RELOADS_MODULES: Final = Version("2.1")
"""The version of Django whose auto-reloader supports ``python -m``."""


def check_installed(name: str, server: Server, environment: Environment) -> None:
    """Raise :class:`AbsentError` if something that ``server`` requires is not installed in ``environment``."""
    if any("{asgi}" in word for word in server.command):
        _check_asgi(name, environment)
    for text in server.requires:
        requirement = Requirement(text)
        version = environment.installed.version(requirement.name)
        if not version:
            which = "that builds the docs" if environment.is_current else f"`{environment.name}`"
            raise AbsentError(
                f"the server `{name}` is not installed: there is no {requirement.name} in the environment "
                f"{which}; install it with {_install_command(server, environment)}"
            )
        if not requirement.specifier.contains(version, prereleases=True):
            raise AbsentError(
                f"the server `{name}` needs {requirement}, and {version} is installed; install another version "
                f"with {_install_command(server, environment)}"
            )


def command_in(environment: Environment, server: Server) -> tuple[str, ...]:
    """Return the command of ``server`` for ``environment``.

    Before Django 2.1, the auto-reloader could not restart ``python -m django`` (ticket 28501).
    """
    command, django = server.command, environment.installed.version("django")
    is_module = command[:3] == ("{python}", "-m", "django")
    if not (is_module and server.reloads and django) or Version(django) >= _RELOADS_MODULES:
        return command
    return ("django-admin", *command[3:])


def find_program(word: str, python: str) -> str:
    """Return the path of the program ``word``, which is beside the interpreter ``python`` or on the PATH.

    Raises :class:`AbsentError` if it is in neither.
    """
    if os.sep in word:
        return word
    beside = Path(python).with_name(word)
    path = str(beside) if os.access(beside, os.X_OK) else shutil.which(word)
    if path is None:
        raise AbsentError(
            f"the program `{word}` is neither in {Path(python).parent} nor on the PATH; install it, or give "
            "its full path in `djconn_servers`"
        )
    return path


def unprivileged(command: list[str]) -> list[str]:
    """Return ``command`` so that it does not run as root.

    If this process does, the command runs in a user namespace in which root's files belong to ``nobody``: a
    container often has no other user, and another user could not read an interpreter in root's home.

    Raises :class:`AbsentError` if that is not possible.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return command
    unshare = shutil.which("unshare")
    if unshare is None:
        raise AbsentError(
            "the server refuses to run as root, and `unshare` of util-linux, which would start it as `nobody`, "
            "is not on the PATH; install util-linux, or build the docs as another user"
        )
    return [unshare, "--user", "--map-user=65534", "--map-group=65534", *command]


def _check_asgi(name: str, environment: Environment) -> None:
    django = environment.installed.version("django")
    if django and Version(django) < _ASGI:
        raise AbsentError(
            f"the server `{name}` serves ASGI, which came with Django {_ASGI}, and the environment "
            f"`{environment.name}` has Django {django}; use another server, or another environment"
        )


def _install_command(server: Server, environment: Environment) -> str:
    wanted = " ".join(f"'{text}'" if set("<>=") & set(text) else text for text in server.requires)
    if environment.is_current:
        return f"`pip install {wanted}`, or all servers with `pip install 'sphinx-djconn[servers]'`"
    if environment.base:
        return "another requirement for it in `djconn_environments`"
    return f"`python -m pip install {wanted}` with the `python` of that environment"
