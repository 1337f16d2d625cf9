"""What this process uses of the machine: modules, files, folders and variables, by name.

``attach/sitecustomize.py`` loads this module by itself, in the processes of servers and in those that make
databases. Each name is recorded once, when it is used first, and written at once to a file that all processes
of a run share: a process that is killed loses nothing. Names only: what a file contains, and whether it
exists, is looked up by the lab.

A record is a letter, a name, and a zero byte:

=====  ================================================================================================
``r``  a file that was opened to be read, or whose code was executed
``w``  a file or folder that was opened to be written, made, renamed or removed
``b``  a database file of SQLite, which may have been written
``s``  a path whose status was asked for, as by ``os.path.exists``
``l``  a folder whose names were listed
``p``  a folder in which modules were listed (``pkgutil``)
``d``  a folder in which distributions were looked for (``importlib.metadata``)
``m``  the name of a module that was looked for in ``sys.path``
``y``  an entry of ``sys.path``
``g``  a folder, a line feed, and a pattern that its names were compared with
``n``  a folder, a line feed, and the name of a module that was looked for in it
``e``  a variable of the environment
``E``  all variables of the environment
``t``  this Python has no audit events: files and folders are not told, and a tree has to stand for them
=====  ================================================================================================

Files that libraries in C open by themselves cause no audit event and are not recorded.
"""

import fcntl
import os
import sys
from typing import Any, Callable, Dict, List, Optional

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_HIGH = 200
"""The lowest number of our descriptor, so that those of the server have their usual numbers."""

_STANDARD = os.path.dirname(os.__file__) + os.sep
_PROBE = os.path.dirname(os.path.abspath(__file__))
_OURS = (_PROBE + os.sep, os.path.join(os.path.dirname(_PROBE), "lab") + os.sep)
_HANDING_ON = frozenset(
    {"daphne", "gevent", "granian", "gunicorn", "hypercorn", "mod_wsgi", "multiprocessing", "uvicorn"}
    | {"waitress", "werkzeug", "cheroot"}
)
"""Packages that read all variables to hand them on to another process."""

_RELOADER = "django.utils.autoreload"
_WATCHING = {
    _RELOADER: ("iter_modules_and_files", "snapshot_files", "watched_files"),
    "werkzeug._reloader": ("_find_stat_paths", "_find_watchdog_paths", "_iter_module_paths", "run_step"),
}
"""Functions of reloaders that look at files which nothing else may use."""

# As they are now: a server may put others in their place.
_write = os.write
_getframe = sys._getframe  # noqa: SLF001 - which every CPython has
_fspath = os.fspath


class Inputs:
    """Records names, in memory until :meth:`write_to` names a file."""

    def __init__(self) -> None:
        self.paused = False
        self._seen: Dict[str, None] = {}
        self._stated: Dict[str, None] = {}
        self._path: List[str] = []
        self._file = ""
        self._fd = -1

    def write_to(self, path: str) -> None:
        """Write what was recorded so far to the end of the file ``path``, and the rest as it comes."""
        self._file = path
        self._open()
        self._write("".join([f"{record}\0" for record in self._seen]))

    def note(self, kind: str, name: str) -> None:
        """Record ``name``, unless it was recorded before."""
        record = kind + name
        if record not in self._seen and not self.paused:
            self._seen[record] = None
            if self._fd >= 0:
                self._write(record + "\0")

    def note_path(self, kind: str, path: Any) -> None:
        """Record a path as the functions of :mod:`os` take it; a descriptor is none."""
        if not isinstance(path, int):
            self.note(kind, self.absolute(path))

    def absolute(self, path: Any) -> str:
        """Return an absolute path as text."""
        if type(path) is not str:
            path = "." if path is None else os.fsdecode(_fspath(path))
        return path if path[:1] == "/" else os.path.join(os.getcwd(), path)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            fd = os.open(self._file, flags, 0o600)
        except OSError:  # the run's folder is gone
            self._fd = -1
            return
        try:
            self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        except OSError:  # the process may have few descriptors
            self._fd = os.dup(fd)
        finally:
            os.close(fd)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        try:
            _write(self._fd, data)
        except OSError:  # the server has closed all descriptors that it did not know
            self._open()
            if self._fd >= 0:
                _write(self._fd, data)

    # What is heard of.

    def install(self) -> None:
        """Record from now on."""
        sys.meta_path.insert(0, _Finder(self))
        self._watch_status()
        self._watch_variables()
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str):
                self.note_path("r", path)
        if hasattr(sys, "addaudithook"):
            sys.addaudithook(self._hook())
        else:  # Python 3.7 and earlier
            self.note("t", "")

    def module(self, name: str, path: Any) -> None:
        """Record that the module ``name`` is looked for in the folders ``path``, else in ``sys.path``."""
        stem = name.rpartition(".")[2]
        if path is not None:
            for folder in path:
                self.note_path("n", f"{folder}\n{stem}")
            return
        self.note("m", stem)
        if sys.path != self._path:
            self._path = list(sys.path)
            for folder in self._path:
                if isinstance(folder, str):
                    self.note_path("y", folder)

    def _hook(self) -> Callable[[str, Any], None]:
        """Return what hears audit events; it must not raise, which would end what it has heard of."""
        written = ("os.remove", "os.rmdir", "os.mkdir", "os.truncate")
        handlers: Dict[str, Callable[[Any], None]] = {
            "open": self._opened,
            "exec": self._executed,
            "import": self._loaded,
            "os.listdir": self._listed,
            "os.scandir": self._listed,
            "os.rename": self._renamed,
            "os.link": self._linked,
            "os.symlink": self._linked,
            "sqlite3.connect": self._connected,
        }
        handlers.update((name, self._changed) for name in written)
        handler_of = handlers.get

        def hear(event: str, args: Any) -> None:
            handler = handler_of(event)
            if handler is not None:
                _quietly(handler, args)

        return hear

    def _opened(self, args: Any) -> None:
        path, _, flags = args
        if flags & _WRITING:
            self.note_path("w", path)
        elif type(path) is not str or not path.endswith(".pyc") or "__pycache__" not in path:
            self.note_path("r", path)

    def _executed(self, args: Any) -> None:
        name = args[0].co_filename
        if name[:1] != "<":
            self.note_path("r", name)

    def _loaded(self, args: Any) -> None:
        if args[1] is not None:  # a module in C; of others, this event does not tell the file
            self.note_path("r", args[1])

    def _listed(self, args: Any) -> None:
        caller = _getframe(3).f_code.co_filename
        if caller[:17] == "<frozen importlib" or _is_watching(_getframe(3)):
            return  # the first looks for a module, as ``module`` records
        kind = "l"
        if caller.endswith("pkgutil.py"):
            kind = "p"
        elif ("importlib" in caller and "metadata" in caller) or "pkg_resources" in caller:
            kind = "d"
        elif caller.endswith("/glob.py"):
            pattern = _pattern(_getframe(3))
            if pattern is not None:
                self.note_path("g", f"{os.path.join(os.getcwd(), os.fsdecode(args[0] or '.'))}\n{pattern}")
                return
        self.note_path(kind, args[0])

    def _changed(self, args: Any) -> None:
        self.note_path("w", args[0])

    def _renamed(self, args: Any) -> None:
        self.note_path("w", args[0])
        self.note_path("w", args[1])

    def _linked(self, args: Any) -> None:
        self.note_path("w", args[1])

    def _connected(self, args: Any) -> None:
        name = os.fsdecode(args[0])
        if name and not name.startswith((":", "file:")):
            self.note_path("b", name)

    def _watch_status(self) -> None:
        """Record the paths that ``os.stat`` and ``os.access`` are asked about: no audit event tells them."""
        for original in (os.stat, os.access):
            noting = self._noting(original)
            setattr(os, original.__name__, noting)
            for able in (
                os.supports_fd,
                os.supports_dir_fd,
                os.supports_follow_symlinks,
                os.supports_effective_ids,
            ):
                if original in able:
                    able.add(noting)  # what ``shutil`` does depends on it

    def _noting(self, original: Any) -> "_Noting":
        """Return ``original``, which asks for the status of a path, recording that path."""
        stated = self._stated

        def look(path: Any, options: Any) -> None:
            if isinstance(path, int) or options.get("dir_fd") is not None:
                return
            name = self.absolute(path)
            if name not in stated:
                if not _is_watching(_getframe(3)):
                    self.note("s", name)
                if not self.paused:
                    stated[name] = None

        return _Noting(original, look, stated)

    def _watch_variables(self) -> None:
        """Record the variables that are read through ``os.environ``, which is what ``os.getenv`` does too."""
        kind: Any = type(os.environ)
        get, iterate = kind.__getitem__, kind.__iter__
        seen = self._seen
        copying: List[Any] = [None, 0]

        def read(key: Any) -> None:
            frame = _caller(4)
            copied = frame.f_code is copying[0] and frame.f_lasti == copying[1]
            if not copied and frame.f_code not in _ITERATING:
                self.note("e", key if type(key) is str else os.fsdecode(key))

        def iterated() -> None:
            frame = _caller(4, "collections.abc")  # which calls itself so
            copying[:] = frame.f_code, frame.f_lasti
            if not _hands_on(frame):
                self.note("E", "")

        def getitem(environ: Any, key: Any) -> Any:
            if type(key) is not str or "e" + key not in seen:
                _quietly(read, key)
            return get(environ, key)

        def iter_(environ: Any) -> Any:
            _quietly(iterated)
            return iterate(environ)

        kind.__getitem__, kind.__iter__ = getitem, iter_


class _Noting:
    """``os.stat`` or ``os.access``, which also records the path.

    Like the original, and unlike a function, it is no method of a class that has it as an attribute:
    ``pathlib`` has such a class up to Python 3.10.
    """

    def __init__(self, original: Any, look: Callable[[Any, Any], None], stated: Dict[str, None]) -> None:
        self.__name__ = self.__qualname__ = original.__name__
        self.__module__, self.__doc__ = original.__module__, original.__doc__
        self._original = original
        self._look = look
        self._stated = stated

    def __call__(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        if type(path) is not str or path not in self._stated:
            _quietly(self._look, path, kwargs)
        return self._original(path, *args, **kwargs)


class _Finder:
    """Finds no module, but records which are looked for."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        """Return ``None``: the next finder has its turn."""
        _quietly(self._inputs.module, name, path)
        return None


def _quietly(call: Callable[..., None], *args: Any) -> None:
    """Call ``call``; whatever it raises is not the server's business."""
    try:
        call(*args)
    except Exception:  # noqa: BLE001 - as it says
        return


def _is_watching(frame: Any) -> bool:
    """Return whether a reloader looks at files, to find out which have changed."""
    while frame is not None:
        if frame.f_code.co_name in _WATCHING.get(frame.f_globals.get("__name__"), ()):
            return True
        frame = frame.f_back
    return False


def _pattern(frame: Any) -> Optional[str]:
    """Return the pattern that :mod:`glob` compares names with, in a function that leads to ``frame``."""
    while frame is not None and frame.f_code.co_filename.endswith("/glob.py"):
        pattern = frame.f_locals.get("pattern") if frame.f_code.co_name.startswith("_glob1") else None
        if isinstance(pattern, str):
            return pattern
        frame = frame.f_back
    return None


def _caller(depth: int, without: str = "") -> Any:
    """Return the frame that called, ``depth`` frames up, without those of the lab and of a module."""
    frame = _getframe(depth)
    while frame.f_back is not None:
        code, module = frame.f_code, frame.f_globals.get("__name__")
        if not code.co_filename.startswith(_OURS) and module != (without or None):
            break
        frame = frame.f_back
    return frame


def _iterating() -> Any:
    """Return the code of those functions that read all variables one by one."""
    from collections.abc import ItemsView, MutableMapping, ValuesView  # noqa: PLC0415

    return frozenset(
        each.__code__ for each in (ItemsView.__iter__, ValuesView.__iter__, MutableMapping.popitem)
    )


_ITERATING = _iterating()


def _hands_on(frame: Any) -> bool:
    """Return whether all variables are read to be handed on to another process, or by Python itself."""
    while frame is not None and frame.f_globals.get("__name__") == "os":  # ``os.environ.copy()``
        frame = frame.f_back
    if frame is None:
        return True
    name, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
    standard = name.startswith((_STANDARD, "<frozen")) and "-packages" not in name
    return standard or name.startswith(_OURS) or module == _RELOADER or module.partition(".")[0] in _HANDING_ON


_inputs: Optional[Inputs] = None


def install() -> Inputs:
    """Record what this process uses from now on; return what does."""
    global _inputs  # noqa: PLW0603 - a process has one
    if _inputs is None:
        _inputs = Inputs()
        _inputs.install()
    return _inputs
