"""Watch which variables of the environment are read through ``os.environ``, which ``os.getenv`` also does."""

import os
import sys
from collections.abc import ItemsView, MutableMapping, ValuesView
from typing import Any, List

from .recorder import OURS, InputRecorder, quietly

RELOADER = "django.utils.autoreload"

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_COPYING_PACKAGES = frozenset(
    {"daphne", "gevent", "granian", "gunicorn", "hypercorn", "mod_wsgi", "multiprocessing", "uvicorn"}
    | {"waitress", "werkzeug", "cheroot"}
)
"""Packages that copy all variables for another process."""

_ITERATORS = frozenset(
    function.__code__ for function in (ItemsView.__iter__, ValuesView.__iter__, MutableMapping.popitem)
)
"""The code of functions that iterate over the names and read each variable."""

_getframe = sys._getframe  # noqa: SLF001 - which every CPython has


def watch(recorder: InputRecorder) -> None:
    """Record the variables that are read from now on."""
    kind: Any = type(os.environ)
    get, iterate = kind.__getitem__, kind.__iter__
    records = recorder.records
    copying: List[Any] = [None, 0]  # where all variables were read last: the code, and the position in it

    def read(key: Any) -> None:
        frame = _caller(4)
        is_copied = frame.f_code is copying[0] and frame.f_lasti == copying[1]
        if not is_copied and frame.f_code not in _ITERATORS:
            recorder.record("e", key if type(key) is str else os.fsdecode(key))

    def iterated() -> None:
        frame = _caller(4, "collections.abc")  # the name that this module has in its globals
        copying[:] = frame.f_code, frame.f_lasti
        if not _is_for_another_process(frame):
            recorder.record("E", "")

    def getitem(environ: Any, key: Any) -> Any:
        if type(key) is not str or "e" + key not in records:
            quietly(read, key)
        return get(environ, key)

    def iter_(environ: Any) -> Any:
        quietly(iterated)
        return iterate(environ)

    kind.__getitem__, kind.__iter__ = getitem, iter_


def _caller(depth: int, without: str = "") -> Any:
    """Return the first frame from ``depth`` frames up that is neither ours nor of the module ``without``."""
    frame = _getframe(depth)
    while frame.f_back is not None:
        code, module = frame.f_code, frame.f_globals.get("__name__")
        if not code.co_filename.startswith(OURS) and module != (without or None):
            break
        frame = frame.f_back
    return frame


def _is_for_another_process(frame: Any) -> bool:
    """Return whether all variables are read to copy them for another process, or by Python itself."""
    while frame is not None and frame.f_globals.get("__name__") == "os":  # ``os.environ.copy()``
        frame = frame.f_back
    if frame is None:
        return True
    name, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
    standard = name.startswith((_STANDARD_LIBRARY, "<frozen")) and "-packages" not in name
    ours = name.startswith(OURS)
    return standard or ours or module == RELOADER or module.partition(".")[0] in _COPYING_PACKAGES
