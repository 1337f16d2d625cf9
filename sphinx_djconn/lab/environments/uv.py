"""uv, which finds the installed Pythons and creates environments: its program and its environment variables."""

import importlib
import os
import shutil
from collections.abc import Mapping
from typing import Final

from sphinx_djconn.lab.errors import AbsentError

_NOT_INHERITED: Final = frozenset(
    [
        "CONDA_PREFIX",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
    ]
)
"""Variables that make uv use another Python, or install into another environment."""


def find_uv() -> str:
    """Return the path of uv: the one of our extra if it is installed, else the one on the PATH.

    Raises :class:`AbsentError` if there is none.
    """
    try:
        path: str | None = importlib.import_module("uv").find_uv_bin()
    except (ImportError, FileNotFoundError):
        path = shutil.which("uv")
    if path is None:
        raise AbsentError(
            "environments are created with uv, which is not installed; "
            'install it with `pip install "sphinx-djconn[environments]"`'
        )
    return path


def uv_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables for uv."""
    env = {name: value for name, value in environ.items() if name not in _NOT_INHERITED}
    if "PIP_INDEX_URL" in env and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & env.keys():
        env["UV_DEFAULT_INDEX"] = env["PIP_INDEX_URL"]  # uv ignores pip's variables; a mirror serves both
    return {
        **env,
        "NO_COLOR": "1",
        # uv's default, hard links, would let an edit of an installed file change uv's cache, and with it all
        # environments that are created later.
        "UV_LINK_MODE": "copy",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
