"""Attach the probe to this interpreter, then make way for the ``sitecustomize`` that stood behind it.

The lab puts this folder, and nothing else of the package, first on ``PYTHONPATH``: every Python process
of the server imports it before any code of the server's own, children and workers too.
"""

import importlib.util
import os
import sys


def _attach() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    # Children find this folder through PYTHONPATH; this process must not see it again.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    address = os.environ.get("DJCONN_SOCKET")
    if not address:
        return
    root = os.path.dirname(here)
    spec = importlib.util.spec_from_file_location(
        "_djconn_probe", os.path.join(root, "__init__.py"), submodule_search_locations=[root]
    )
    assert spec is not None
    assert spec.loader is not None
    probe = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = probe
    spec.loader.exec_module(probe)
    probe.start(address)


def _make_way() -> None:
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401, PLC0415 - the next one on the path
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    sys.modules.setdefault("sitecustomize", ours)


_attach()
_make_way()
