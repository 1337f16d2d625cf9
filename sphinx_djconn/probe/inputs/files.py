"""Watch which modules, files and folders are used: by audit events, ``os.stat``, ``os.access`` and imports."""

import os
import sys
from typing import Any, Callable, Dict, List, Optional

from .recorder import InputRecorder, absolute, quietly
from .variables import RELOADER

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FUNCTIONS_OF_RELOADERS = {
    RELOADER: ("iter_modules_and_files", "snapshot_files", "watched_files"),
    "werkzeug._reloader": ("_find_stat_paths", "_find_watchdog_paths", "_iter_module_paths", "run_step"),
}
"""Functions, by module, that look at all files that might change, whether they are used or not."""

_getframe = sys._getframe  # noqa: SLF001 - which every CPython has


def watch(recorder: InputRecorder) -> None:
    """Record what is used from now on, and the modules that are loaded already."""
    sys.meta_path.insert(0, _Finder(recorder))
    _watch_status(recorder)
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            recorder.record_path("r", path)
    if hasattr(sys, "addaudithook"):
        sys.addaudithook(_audit_hook(_AuditEvents(recorder)))
    else:  # Python 3.7 and earlier
        recorder.record("t", "")


class _Finder:
    """An import finder that finds nothing, but records what is searched."""

    def __init__(self, recorder: InputRecorder) -> None:
        self._recorder = recorder
        self._path: List[str] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        """Record that a module is searched, and return ``None``: the next finder follows."""
        quietly(self._record, name, path)
        return None

    def _record(self, name: str, path: Any) -> None:
        """Record a search for the module ``name`` in the folders ``path``, or in ``sys.path`` without them."""
        recorder = self._recorder
        last_name = name.rpartition(".")[2]
        if path is not None:
            for folder in path:
                recorder.record_path("n", f"{folder}\n{last_name}")
            return
        recorder.record("m", last_name)
        if sys.path != self._path:
            self._path = list(sys.path)
            for folder in self._path:
                if isinstance(folder, str):
                    recorder.record_path("y", folder)


def _audit_hook(events: "_AuditEvents") -> Callable[[str, Any], None]:
    """Return an audit hook. It must not raise: an exception would end the audited call."""
    handler_of = events.handlers.get

    def hook(event: str, args: Any) -> None:
        handler = handler_of(event)
        if handler is not None:
            quietly(handler, args)

    return hook


class _AuditEvents:
    """Records the files and folders of audit events."""

    def __init__(self, recorder: InputRecorder) -> None:
        self._recorder = recorder
        self.handlers: Dict[str, Callable[[Any], None]] = {
            "open": self._opened,
            "exec": self._executed,
            "import": self._loaded,
            "os.listdir": self._listed,
            "os.scandir": self._listed,
            "os.remove": self._changed,
            "os.rmdir": self._changed,
            "os.mkdir": self._changed,
            "os.truncate": self._changed,
            "os.rename": self._renamed,
            "os.link": self._linked,
            "os.symlink": self._linked,
            "sqlite3.connect": self._connected,
        }

    def _opened(self, args: Any) -> None:
        path, _, flags = args
        if flags & _WRITING:
            self._recorder.record_path("w", path)
        elif type(path) is not str or not path.endswith(".pyc") or "__pycache__" not in path:
            self._recorder.record_path("r", path)

    def _executed(self, args: Any) -> None:
        name = args[0].co_filename
        if name[:1] != "<":
            self._recorder.record_path("r", name)

    def _loaded(self, args: Any) -> None:
        if args[1] is not None:  # the file of a module in C; for other modules, there is none here
            self._recorder.record_path("r", args[1])

    def _listed(self, args: Any) -> None:
        frame = _getframe(3)
        caller = frame.f_code.co_filename
        if caller[:17] == "<frozen importlib" or _is_in_reloader(frame):
            return  # the former searches a module, which the finder records
        kind = "l"
        if caller.endswith("pkgutil.py"):
            kind = "p"
        elif ("importlib" in caller and "metadata" in caller) or "pkg_resources" in caller:
            kind = "d"
        elif caller.endswith("/glob.py"):
            pattern = _glob_pattern(frame)
            if pattern is not None:
                folder = os.path.join(os.getcwd(), os.fsdecode(args[0] or "."))
                self._recorder.record_path("g", f"{folder}\n{pattern}")
                return
        self._recorder.record_path(kind, args[0])

    def _changed(self, args: Any) -> None:
        self._recorder.record_path("w", args[0])

    def _renamed(self, args: Any) -> None:
        self._recorder.record_path("w", args[0])
        self._recorder.record_path("w", args[1])

    def _linked(self, args: Any) -> None:
        self._recorder.record_path("w", args[1])

    def _connected(self, args: Any) -> None:
        name = os.fsdecode(args[0])
        if name and not name.startswith((":", "file:")):
            self._recorder.record_path("b", name)


def _watch_status(recorder: InputRecorder) -> None:
    """Record the paths that ``os.stat`` and ``os.access`` are called with: they have no audit events."""
    recorded: Dict[str, None] = {}

    def record(path: Any, options: Any) -> None:
        if isinstance(path, int) or options.get("dir_fd") is not None:
            return
        name = absolute(path)
        if name not in recorded:
            if not _is_in_reloader(_getframe(3)):
                recorder.record("s", name)
            if not recorder.paused:
                recorded[name] = None

    for original in (os.stat, os.access):
        watched = _WatchedStatus(original, record, recorded)
        setattr(os, original.__name__, watched)
        # ``shutil`` looks into these sets.
        for supporting in (
            os.supports_fd,
            os.supports_dir_fd,
            os.supports_follow_symlinks,
            os.supports_effective_ids,
        ):
            if original in supporting:
                supporting.add(watched)


class _WatchedStatus:
    """``os.stat`` or ``os.access``, which also records the path.

    Like the original, and unlike a function, it doesn't become a method if it is an attribute of a class: up to
    Python 3.10, ``pathlib`` has such a class.
    """

    def __init__(self, original: Any, record: Callable[[Any, Any], None], recorded: Dict[str, None]) -> None:
        self.__name__ = self.__qualname__ = original.__name__
        self.__module__, self.__doc__ = original.__module__, original.__doc__
        self._original = original
        self._record = record
        self._recorded = recorded

    def __call__(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        if type(path) is not str or path not in self._recorded:
            quietly(self._record, path, kwargs)
        return self._original(path, *args, **kwargs)


def _is_in_reloader(frame: Any) -> bool:
    """Return whether a reloader is looking for files that have changed."""
    while frame is not None:
        if frame.f_code.co_name in _FUNCTIONS_OF_RELOADERS.get(frame.f_globals.get("__name__"), ()):
            return True
        frame = frame.f_back
    return False


def _glob_pattern(frame: Any) -> Optional[str]:
    """Return the pattern that :mod:`glob` compares names with, if ``frame`` was called by it."""
    while frame is not None and frame.f_code.co_filename.endswith("/glob.py"):
        pattern = frame.f_locals.get("pattern") if frame.f_code.co_name.startswith("_glob1") else None
        if isinstance(pattern, str):
            return pattern
        frame = frame.f_back
    return None
