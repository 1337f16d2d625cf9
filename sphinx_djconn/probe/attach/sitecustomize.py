"""Attach the probe to this interpreter, then make way for the ``sitecustomize`` that stood behind it.

The lab puts this folder, and nothing else of the package, first on ``PYTHONPATH``: every Python process
of the server imports it before any code of the server's own, children and workers too.
"""

import importlib.util
import os
import sys
from typing import Any


def load_probe() -> Any:
    """Return the probe's package, under a name that none of the server's modules has."""
    name = "_djconn_probe"
    if name not in sys.modules:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        spec = importlib.util.spec_from_file_location(
            name, os.path.join(root, "__init__.py"), submodule_search_locations=[root]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def load_inputs() -> Any:
    """Return the module that records what this process uses, loaded without the rest of the probe."""
    name = "_djconn_inputs"
    if name not in sys.modules:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        spec = importlib.util.spec_from_file_location(name, os.path.join(root, "inputs.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def attach() -> None:
    """Attach the probe where a lab listens, and take this folder off the path.

    ``DJCONN_INPUTS`` names the file in which the lab wants to read what this process uses.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    # Children find this folder through PYTHONPATH; this process must not see it again.
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
    """Put the project's folder behind the run's, where it has a ``:``, which PYTHONPATH cannot hold."""
    project = os.environ.get("DJCONN_PATH")
    if project and project not in sys.path:
        run = os.path.dirname(os.environ.get("DJCONN_SETTINGS", ""))
        sys.path.insert(sys.path.index(run) + 1 if run in sys.path else 0, project)


def _make_way() -> None:
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
    if __name__ == "sitecustomize":  # else a forked server runs this file: the next one had its turn
        _make_way()
