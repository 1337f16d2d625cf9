"""Which environment variables count as inputs, and the digests of their values."""

import hashlib
import re
from typing import Final

ALL: Final = "*"
"""Stands for all variables, if a run has read all of them."""

_LAB: Final = re.compile(r"DJCONN_.*|DJANGO_SETTINGS_MODULE|DJANGO_AUTORELOAD_ENV|RUN_MAIN|_?PYTHON.*")
_MACHINE: Final = re.compile(
    r"_|PATH|HOME|USER|LOGNAME|USERNAME|SHELL|SHLVL|PWD|OLDPWD|HOSTNAME|TMPDIR|TEMP|TMP|TERM|TERM_.*|COLORTERM"
    r"|LANG|LANGUAGE|LC_.*|COLUMNS|LINES|VIRTUAL_ENV.*|CONDA_.*|MAKE.*|MFLAGS|SPHINX.*"
)
_SESSION: Final = re.compile(
    r"XDG_.*|DBUS_.*|SSH_.*|GPG_.*|DISPLAY|WAYLAND_.*|LS_COLORS|LESS.*|PAGER|EDITOR|VISUAL|MAIL|WINDOWID|PS\d|P?PID"
    r"|CI|CI_.*|GITHUB_.*|RUNNER_.*|GITLAB_.*|BUILD_.*|JENKINS_.*|TRAVIS.*|CIRCLE.*|READTHEDOCS.*|PYTEST_.*|TOX_.*"
    r"|NOX_.*|VSCODE_.*|KONSOLE_.*|GNOME_.*|SESSION_MANAGER|INVOCATION_ID|JOURNAL_STREAM|DEBUGINFOD_.*"
)
_DIGITS: Final = 6
"""Enough to detect a change, and too few to reveal a secret."""


def counts(name: str, *, alone: bool = True) -> bool:
    """Return whether the value of the variable ``name`` can change a run.

    Variables of the machine, such as its folders and its language, do not count, nor those that the lab sets.
    ``alone`` is false if the variable was read only because all variables were. Then those that differ from one
    terminal or job to the next do not count either.
    """
    if _LAB.fullmatch(name) or _MACHINE.fullmatch(name):
        return False
    return alone or not _SESSION.fullmatch(name)


def digest(name: str, value: str) -> str:
    """Return a digest of ``value``, salted with ``name``."""
    return hashlib.sha256(f"{name}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
