"""Which variables of the environment count, and what is kept of their values."""

import hashlib
import re
from typing import Final

ALL: Final = "*"
"""Stands for all variables, where a run has read all of them."""

_OF_THE_LAB: Final = re.compile(r"DJCONN_.*|DJANGO_SETTINGS_MODULE|DJANGO_AUTORELOAD_ENV|RUN_MAIN|_?PYTHON.*")
_OF_THE_MACHINE: Final = re.compile(
    r"_|PATH|HOME|USER|LOGNAME|USERNAME|SHELL|SHLVL|PWD|OLDPWD|HOSTNAME|TMPDIR|TEMP|TMP|TERM|TERM_.*|COLORTERM"
    r"|LANG|LANGUAGE|LC_.*|COLUMNS|LINES|VIRTUAL_ENV.*|CONDA_.*|MAKE.*|MFLAGS|SPHINX.*"
)
_OF_A_SESSION: Final = re.compile(
    r"XDG_.*|DBUS_.*|SSH_.*|GPG_.*|DISPLAY|WAYLAND_.*|LS_COLORS|LESS.*|PAGER|EDITOR|VISUAL|MAIL|WINDOWID|PS\d|P?PID"
    r"|CI|CI_.*|GITHUB_.*|RUNNER_.*|GITLAB_.*|BUILD_.*|JENKINS_.*|TRAVIS.*|CIRCLE.*|READTHEDOCS.*|PYTEST_.*|TOX_.*"
    r"|NOX_.*|VSCODE_.*|KONSOLE_.*|GNOME_.*|SESSION_MANAGER|INVOCATION_ID|JOURNAL_STREAM|DEBUGINFOD_.*"
)
_DIGITS: Final = 6
"""Enough to notice a change, and too few to tell a secret."""


def counts(name: str, *, alone: bool = True) -> bool:
    """Return whether the value of ``name`` can make a run another one.

    Those of the machine do not, such as its folders and its language, nor those that the lab sets. Where all
    variables were read, and not this one ``alone``, those that differ from one terminal or job to the next do
    not count either.
    """
    if _OF_THE_LAB.fullmatch(name) or _OF_THE_MACHINE.fullmatch(name):
        return False
    return alone or not _OF_A_SESSION.fullmatch(name)


def digest(name: str, value: str) -> str:
    """Return what changes with ``value``."""
    return hashlib.sha256(f"{name}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
