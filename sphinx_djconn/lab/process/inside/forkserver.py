"""A process that has imported Django once, and forks for each run instead of importing it again.

``python forkserver.py PARENT`` imports what ``python -m django runserver`` imports before it reads settings,
says ``ready`` on standard output, and then waits: each connection that it is handed over the socket on
standard input is a supervisor's, which forks the server. The server goes on as ``python -m django`` does,
from the first line of :mod:`runpy` on, with the variables, the path, the standard streams and the probe
that an ordinary start would have. At the end of standard input, or of the process PARENT, this process ends.

It forks only as long as it has one thread and Django has no settings, and so no database connection.
"""

import array
import atexit
import builtins
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx_djconn.lab.process.inside.preload import PreloadedProject, ready
    from sphinx_djconn.lab.process.inside.supervisor import Supervisor, die_with_parent, remove_tree, supervise
else:  # this folder, and not the package, is on the path of what runs here
    from preload import PreloadedProject, ready
    from supervisor import Supervisor, die_with_parent, remove_tree, supervise

_PROBE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))),
    "probe",
    "attach",
    "sitecustomize.py",
)
_MODULES = (
    "django.contrib.admin.sites",
    "django.contrib.admin.templatetags.admin_list",
    "django.contrib.admin.views.main",
    "django.contrib.auth.hashers",
    "django.contrib.auth.management",
    "django.contrib.auth.password_validation",
    "django.contrib.contenttypes.management",
    "django.contrib.messages.context_processors",
    "django.contrib.messages.middleware",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.backends.db",
    "django.contrib.sessions.middleware",
    "django.contrib.staticfiles.finders",
    "django.contrib.staticfiles.handlers",
    "django.contrib.staticfiles.management.commands.runserver",
    "django.core.handlers.wsgi",
    "django.core.management.commands.loaddata",
    "django.core.management.commands.migrate",
    "django.core.management.commands.runserver",
    "django.core.management.sql",
    "django.core.serializers.json",
    "django.core.serializers.python",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.autodetector",
    "django.forms.models",
    "django.middleware.clickjacking",
    "django.middleware.common",
    "django.middleware.csrf",
    "django.middleware.security",
    "django.template.backends.django",
    "django.template.context_processors",
    "django.template.defaulttags",
    "django.template.loaders.app_directories",
    "django.template.loaders.cached",
    "django.template.loaders.filesystem",
    "django.views.debug",
    "django.views.defaults",
    "django.views.generic",
    "django.views.i18n",
)
"""What a project's start imports, as far as it asks for no settings; more of Django comes with it."""


_PARENT_CHECK = 0.5
"""Seconds between two looks at whether the process that builds the docs is still there."""


class _Become(BaseException):
    """Unwinds the stack of a forked server, so that it goes on as the outermost code of its process."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec


class _ForkedServer(Supervisor):
    def become(self) -> None:
        """Leave the supervisor's code behind, and go on as the server."""
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python does when it starts
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise _Become(self.spec)


def main() -> None:
    """Import, say so, and fork for each connection that is handed over."""
    base = sys.path[1:]  # without the folder of this file
    parent = int(sys.argv[1])
    control, answer = socket.socket(fileno=os.dup(0)), os.dup(1)
    _open_streams()
    attach = _load_probe()
    with _ending_with(parent, control):
        for name in _MODULES:
            with contextlib.suppress(Exception):  # another version of Django, or a module it lacks
                importlib.import_module(name)
    _keep_still()
    fit = not _is_configured() and not _has_printed()
    with contextlib.suppress(OSError):  # the lab is gone: what it has handed over has to be cleared away
        os.write(answer, b"ready" if fit and _is_alone() else b"unfit")
    os.close(answer)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are nobody's to wait for
    for name in ("preload", "side_effects", "supervisor", "warm_caches", "__main__"):
        sys.modules.pop(name, None)
    while (received := _received(control, parent)) is not None and fit and _is_alone():
        kind, connection = received
        if os.fork() == 0:
            control.close()
            if kind == b"r":
                _ready_project(connection, base, attach)
            else:
                _supervise(connection, lambda spec: _serve(spec, base, attach))
            return
        os.close(connection)
    os._exit(0)  # there is nothing to clear away, and the build waits


def _open_streams() -> None:
    """Replace the standard streams by those that a server has: they remember whether a file can be rewound.

    Standard input is empty, and standard output is the file for errors until a fork has a log.
    """
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    os.dup2(2, 1)
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w")):
        old: Any = getattr(sys, name)
        raw: Any = io.FileIO(fd, mode, closefd=False)
        raw.name = f"<{name}>"
        new: Any = io.TextIOWrapper(
            io.BufferedReader(raw) if mode == "r" else raw,  # as Python has it with -u
            old.encoding,
            old.errors,
            newline="\n" if mode == "w" else None,
            line_buffering=old.line_buffering,
            write_through=old.write_through,
        )
        new.mode = mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _load_probe() -> Callable[[], None]:
    """Load the probe, which watches nothing as long as no lab listens; return what attaches it.

    It is loaded by the module that an ordinary start imports, as ``sitecustomize`` if there is no other.
    """
    ordinary = "sitecustomize"
    name = f"_djconn_{ordinary}" if ordinary in sys.modules else ordinary
    spec = importlib.util.spec_from_file_location(name, _PROBE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if name == ordinary:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    module.load_inputs().install()  # what is used here, every fork has used
    module.load_probe()
    attach: Callable[[], None] = module.attach
    return attach


def _has_printed() -> bool:
    """Return whether what was imported has printed anything: a server's log has that in an ordinary start."""
    return os.fstat(2).st_size > 0


@contextlib.contextmanager
def _ending_with(parent: int, control: socket.socket) -> Iterator[None]:
    """End this process while the block runs, should the process ``parent`` end: imports can take seconds.

    What ``parent`` has handed over on ``control`` is cleared away first.
    """

    def look(*_: object) -> None:
        if os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, 0)  # else the next alarm comes while this one waits
            with contextlib.suppress(Exception):
                _clear_away(control, parent)
            os._exit(0)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _PARENT_CHECK, _PARENT_CHECK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _clear_away(control: socket.socket, parent: int) -> None:
    """Remove the folders of what was handed over on ``control``, and will not be started."""
    while (received := _received(control, parent)) is not None:
        first = os.read(received[1], 1 << 16).split(b"\n", 1)[0]
        if received[0] == b"f":
            remove_tree(json.loads(first)["folder"])
        os.close(received[1])


def _ready_project(fd: int, base: list[str], attach: Callable[[], None]) -> None:
    """Set up the project that the lab tells of, and fork for each connection that it hands over then."""
    parent = os.getppid()
    die_with_parent(parent)
    with socket.socket(fileno=fd) as control:
        with control.makefile("rb") as lines:
            spec = json.loads(lines.readline())
        _take_on(spec, base)
        os.environ.pop("DJCONN_SOCKET", None)
        os.environ.pop("DJCONN_INPUTS", None)
        attach()  # which only takes its folder off the path, where no lab is told of
        os.chdir(spec["cwd"])
        readied = ready(spec)
        _keep_still()
        control.sendall(b"unfit" if readied is None else b"ready")
        while readied is not None and (received := _received(control, parent)) is not None and _is_alone():
            _, connection = received
            if os.fork() == 0:
                control.close()
                _supervise(connection, lambda run: _serve(run, base, attach, readied))
                return
            os.close(connection)
    os._exit(0)  # what the project has for its end is for the ends of its servers


def _supervise(connection: int, serve: Callable[[dict[str, Any]], None]) -> None:
    """Be a supervisor, and its server, which goes on with ``serve``."""
    os.dup2(connection, 0)
    os.dup2(connection, 1)
    os.close(connection)
    os.setsid()
    try:
        supervise(_ForkedServer)
    except _Become as become:
        spec = become.spec
    else:
        os._exit(0)
    serve(spec)


def _keep_still() -> None:
    """Spare forks that their collections look through all of this, and so copy its pages, to find nothing.

    How often there is a full one depends on how much the last one has found: so that has to be all, as in a
    process that was not forked.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _received(control: socket.socket, parent: int) -> tuple[bytes, int] | None:
    """Return what the next descriptor that is handed over is for, and it; ``None`` when there will be none."""
    while not select.select([control], [], [], _PARENT_CHECK)[0]:
        # Other children of the parent may hold its end of the socket open when it is gone.
        if os.getppid() != parent and not select.select([control], [], [], 0)[0]:
            return None
    space = socket.CMSG_SPACE(array.array("i").itemsize)
    message, ancillary, _, _ = control.recvmsg(1, space)
    if not message:
        return None
    (_, _, data), *_ = ancillary
    return message, array.array("i", data[: array.array("i").itemsize])[0]


def _is_configured() -> bool:
    settings = sys.modules.get("django.conf")
    return settings is not None and settings.settings.configured


def _is_alone() -> bool:
    """Return whether this process has one thread, and a fork of it all that it has."""
    return len(os.listdir("/proc/self/task")) == 1 and threading.active_count() == 1


def _take_on(spec: dict[str, Any], base: list[str]) -> None:
    """Have the variables, the arguments and the path of a process that is started with ``spec``."""
    inputs = sys.modules["_djconn_inputs"].install()
    inputs.paused = True  # this reads variables that a process started from the command line would not
    os.environ.clear()
    os.environ.update(spec["env"])
    inputs.paused = False
    sys.orig_argv[:] = spec["argv"]  # by which a reloader starts itself again
    _, *argv = spec["argv"]
    search = os.environ["PYTHONPATH"].split(os.pathsep)
    if "DJCONN_PATH" in os.environ:
        run = os.path.dirname(os.environ["DJCONN_SETTINGS"])
        search.insert(search.index(run) + 1, os.environ["DJCONN_PATH"])
    if argv[0] == "-m":
        sys.argv = ["-m", *argv[2:]]
        first = spec["cwd"]
    else:
        sys.argv = argv
        first = os.path.dirname(argv[0])
    sys.path[:] = [first, *search, *(entry for entry in base if entry not in search)]


def _serve(
    spec: dict[str, Any], base: list[str], attach: Callable[[], None], readied: PreloadedProject | None = None
) -> None:
    """Go on as ``python -m django …``, or as a script of the lab's, would from its start."""
    path = list(sys.path)
    _take_on(spec, base)
    time.tzset()  # which reads a variable
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined] # noqa: SLF001 - it keeps its parent's
    if readied is not None:
        sys.path[:] = path
        readied.adopt(os.path.dirname(os.environ["DJCONN_SETTINGS"]))
    attach()
    if readied is not None:
        readied.look()
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    _, *argv = spec["argv"]
    try:
        if argv[0] == "-m":
            runpy._run_module_as_main(argv[1])  # type: ignore[attr-defined] # noqa: SLF001 - as Python does
        else:
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as error:
        _end(_status(error.code))
    except BaseException as error:  # noqa: BLE001 - as Python does
        sys.excepthook(type(error), error, _without_ours(error.__traceback__))
        _end(1)
    _end(0)


def _status(code: Any) -> int:
    """Return the status of a process that exits with ``code``, which is printed if it is a message."""
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)  # noqa: T201 - as Python does
    return 1


def _without_ours(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Return ``traceback`` without the frames of this file."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def _end(status: int) -> None:
    """End as Python does, but do not take every module apart: that would copy all it shares with its parent."""
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - which waits for its threads
    atexit._run_exitfuncs()  # noqa: SLF001 - nobody else can call them
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    main()
