"""Attach the probe to this interpreter, then import the next ``sitecustomize`` on the path.

The lab puts this folder, and nothing else of the package, first on ``PYTHONPATH``. So every Python process of
the server, also workers and other children, imports this module before any code of the server.
"""

import importlib.util
import os
import sys
from typing import Any

_PROBE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load_probe() -> Any:
    """Return the package of the probe."""
    return _load("_djconn_probe", _PROBE)


def load_inputs() -> Any:
    """Return the package that records what this process uses, loaded without the rest of the probe."""
    return _load("_djconn_inputs", os.path.join(_PROBE, "inputs"))


def _load(name: str, folder: str) -> Any:
    """Return the package in ``folder``, imported as ``name``, which no module of the server has."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def attach() -> None:
    """Attach the probe if a lab listens, and remove this folder from ``sys.path``.

    The environment variable ``DJCONN_INPUTS`` names the file for records of what this process uses, and
    ``DJCONN_SOCKET`` the lab's socket.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    # Children find this folder through PYTHONPATH. This process must not import from it again.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    add_path()
    inputs = os.environ.get("DJCONN_INPUTS")
    if inputs:
        load_inputs().install().write_to(inputs)
    address = os.environ.get("DJCONN_SOCKET")
    if not address:
        return
    load_probe().start(address)


def add_path() -> None:
    """Put the project's folder behind the run's, if it has a ``:``, which PYTHONPATH cannot contain."""
    project = os.environ.get("DJCONN_PATH")
    if project and project not in sys.path:
        run = os.path.dirname(os.environ.get("DJCONN_SETTINGS", ""))
        sys.path.insert(sys.path.index(run) + 1 if run in sys.path else 0, project)


def _import_next() -> None:
    """Import the next ``sitecustomize`` on the path in the place of this one, if there is one."""
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401, PLC0415 - the next one on the path
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    sys.modules.setdefault("sitecustomize", ours)


try:
    attach()
finally:
    if __name__ == "sitecustomize":  # else the fork server loads this file, after the next one
        _import_next()
