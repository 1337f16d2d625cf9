"""The environment variables that processes of the lab inherit."""

import os
from typing import Final

_NOT_INHERITED: Final = frozenset({"RUN_MAIN", "PYTHONSTARTUP", "PYTHONSAFEPATH", "PYTHONINSPECT"})


def inherited_environ() -> dict[str, str]:
    """Return the variables that a process of the lab inherits from the one that builds the docs."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJCONN_", "DJANGO_RUNSERVER")) and name not in _NOT_INHERITED
    }
