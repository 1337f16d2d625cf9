"""The fork server: a process that has imported Django once, and forks a process for each run.

``python forkserver.py PARENT`` imports what ``python -m django runserver`` imports before it reads settings,
and writes ``ready`` to standard output. Then it waits for connections, which it receives over the socket on
standard input. For each one it forks a supervisor, which forks the server. The server continues as ``python -m
django`` does, from the first line of :mod:`runpy`, with the variables, the path, the standard streams and the
probe of an ordinary start. At the end of standard input, or of the process PARENT, this process ends.

It forks only while it has one thread and Django has no settings, and therefore no database connection.
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
    from sphinx_djconn.lab.process.inside.preload import PreloadedProject, preload
    from sphinx_djconn.lab.process.inside.supervisor import Supervisor, die_with_parent, remove_tree, supervise
else:  # when this runs, this folder is on sys.path, and the package is not
    from preload import PreloadedProject, preload
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
"""Modules that the start of a project imports and that need no settings. They import more of Django."""

_PARENT_CHECK_INTERVAL = 0.5
"""Seconds between two checks whether the process that builds the docs still exists."""

_FORK_PRELOADER = b"r"
"""The message that comes with the connection of a process that sets up a project."""


class _ContinueAsServer(BaseException):
    """Unwinds the stack of a forked server, so that the server is the outermost code of its process."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec


class _ForkingSupervisor(Supervisor):
    """A supervisor whose server is a fork, and not an executed program."""

    def exec_child(self) -> None:
        """Leave the supervisor's code, and continue as the server."""
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python does when it starts
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise _ContinueAsServer(self.spec)


def main() -> None:
    """Import Django, report that, and fork for each connection that is received."""
    base_path = sys.path[1:]  # without the folder of this file
    parent = int(sys.argv[1])
    control, answer = socket.socket(fileno=os.dup(0)), os.dup(1)
    _open_streams()
    attach_probe = _load_probe()
    with _exit_with(parent, control):
        for name in _MODULES:
            with contextlib.suppress(Exception):  # this version of Django may lack a module
                importlib.import_module(name)
    _freeze_objects()
    is_fit = not _is_configured() and not _has_printed()
    with contextlib.suppress(OSError):  # if the lab has ended, the loop below still handles its connections
        os.write(answer, b"ready" if is_fit and _is_single_threaded() else b"unfit")
    os.close(answer)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that the kernel reaps supervisors
    for name in ("preload", "side_effects", "supervisor", "warm_caches", "__main__"):
        sys.modules.pop(name, None)
    while (received := _receive(control, parent)) is not None and is_fit and _is_single_threaded():
        kind, connection = received
        if os.fork() == 0:
            control.close()
            if kind == _FORK_PRELOADER:
                _run_preloader(connection, base_path, attach_probe)
            else:
                _supervise(connection, lambda spec: _serve(spec, base_path, attach_probe))
            return
        os.close(connection)
    os._exit(0)  # nothing has to be cleaned up, and the build is waiting


def _open_streams() -> None:
    """Replace the standard streams by those of a server: Python stores whether a stream is seekable.

    Standard input is empty. Standard output is the file for errors, until a fork has a log.
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
            io.BufferedReader(raw) if mode == "r" else raw,  # as with `python -u`
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
    """Load the probe, which does nothing while no lab listens; return the function that attaches it.

    It is loaded by the same module as in an ordinary start, as ``sitecustomize`` if there is no other.
    """
    site_module = "sitecustomize"
    name = f"_djconn_{site_module}" if site_module in sys.modules else site_module
    spec = importlib.util.spec_from_file_location(name, _PROBE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if name == site_module:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    module.load_inputs().install()  # every fork uses what is used here
    module.load_probe()
    attach_probe: Callable[[], None] = module.attach
    return attach_probe


def _has_printed() -> bool:
    """Return whether an import has printed anything, which the log of an ordinary start would contain."""
    return os.fstat(2).st_size > 0


@contextlib.contextmanager
def _exit_with(parent: int, control: socket.socket) -> Iterator[None]:
    """End this process if the process ``parent`` ends while the block runs: imports can take seconds.

    The folders of the connections that ``parent`` has sent on ``control`` are removed first.
    """

    def check_parent(*_: object) -> None:
        if os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, 0)  # so that no other alarm interrupts this
            with contextlib.suppress(Exception):
                _remove_folders(control, parent)
            os._exit(0)

    before = signal.signal(signal.SIGALRM, check_parent)
    signal.setitimer(signal.ITIMER_REAL, _PARENT_CHECK_INTERVAL, _PARENT_CHECK_INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _remove_folders(control: socket.socket, parent: int) -> None:
    """Remove the folders of the connections that were sent on ``control``: nothing is started for them."""
    while (received := _receive(control, parent)) is not None:
        kind, connection = received
        header = os.read(connection, 1 << 16).split(b"\n", 1)[0]
        if kind != _FORK_PRELOADER:
            remove_tree(json.loads(header)["folder"])
        os.close(connection)


def _run_preloader(fd: int, base_path: list[str], attach_probe: Callable[[], None]) -> None:
    """Set up the project that the lab describes over ``fd``, and fork for each connection that it then
    sends."""
    parent = os.getppid()
    die_with_parent(parent)
    with socket.socket(fileno=fd) as control:
        with control.makefile("rb") as lines:
            spec = json.loads(lines.readline())
        _apply_spec(spec, base_path)
        os.environ.pop("DJCONN_SOCKET", None)
        os.environ.pop("DJCONN_INPUTS", None)
        attach_probe()  # without these variables, it only removes its folder from the path
        os.chdir(spec["cwd"])
        project = preload(spec)
        _freeze_objects()
        control.sendall(b"unfit" if project is None else b"ready")
        while (
            project is not None
            and (received := _receive(control, parent)) is not None
            and _is_single_threaded()
        ):
            _, connection = received
            if os.fork() == 0:
                control.close()
                _supervise(connection, lambda run: _serve(run, base_path, attach_probe, project))
                return
            os.close(connection)
    os._exit(0)  # exit handlers of the project run at the end of its servers only


def _supervise(connection: int, serve: Callable[[dict[str, Any]], None]) -> None:
    """Run a supervisor in this process, and ``serve`` in the server that it forks."""
    os.dup2(connection, 0)
    os.dup2(connection, 1)
    os.close(connection)
    os.setsid()
    try:
        supervise(_ForkingSupervisor)
    except _ContinueAsServer as server:
        spec = server.spec
    else:
        os._exit(0)
    serve(spec)


def _freeze_objects() -> None:
    """Exclude all objects from garbage collections in forks, which would copy the shared pages.

    How often a full collection runs depends on how many objects the last one has found. So one runs before, as
    in a process that was not forked.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _receive(control: socket.socket, parent: int) -> tuple[bytes, int] | None:
    """Return kind and descriptor of the next connection; ``None`` if the lab will send no more."""
    while not select.select([control], [], [], _PARENT_CHECK_INTERVAL)[0]:
        # Other children of the parent may keep its end of the socket open after it has ended.
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


def _is_single_threaded() -> bool:
    """Return whether this process has one thread, so that a fork of it is complete."""
    return len(os.listdir("/proc/self/task")) == 1 and threading.active_count() == 1


def _apply_spec(spec: dict[str, Any], base_path: list[str]) -> None:
    """Set variables, arguments and ``sys.path`` as in a process that is started with ``spec``."""
    inputs = sys.modules["_djconn_inputs"].install()
    inputs.paused = True  # a process started from the command line would not read these variables
    os.environ.clear()
    os.environ.update(spec["env"])
    inputs.paused = False
    sys.orig_argv[:] = spec["argv"]  # which a reloader uses to restart itself
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
    sys.path[:] = [first, *search, *(entry for entry in base_path if entry not in search)]


def _serve(
    spec: dict[str, Any],
    base_path: list[str],
    attach_probe: Callable[[], None],
    project: PreloadedProject | None = None,
) -> None:
    """Continue as ``python -m django …``, or a script of the lab, from its start."""
    path = list(sys.path)
    _apply_spec(spec, base_path)
    time.tzset()  # which reads a variable
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined] # noqa: SLF001 - it has the parent's
    if project is not None:
        sys.path[:] = path
        project.bind_to_run(os.path.dirname(os.environ["DJCONN_SETTINGS"]))
    attach_probe()
    if project is not None:
        project.create_connections()
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    _, *argv = spec["argv"]
    try:
        if argv[0] == "-m":
            runpy._run_module_as_main(argv[1])  # type: ignore[attr-defined] # noqa: SLF001 - as Python does
        else:
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as error:
        _exit(_status(error.code))
    except BaseException as error:  # noqa: BLE001 - as Python does
        sys.excepthook(type(error), error, _without_ours(error.__traceback__))
        _exit(1)
    _exit(0)


def _status(code: Any) -> int:
    """Return the exit status for ``code`` of ``SystemExit``, which is printed if it is a message."""
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)  # noqa: T201 - as Python does
    return 1


def _without_ours(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Return ``traceback`` without the frames of this file."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def _exit(status: int) -> None:
    """End as Python does, except that modules are not cleared, which would copy the pages shared with the
    parent."""
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - it waits for threads
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public function
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    main()
