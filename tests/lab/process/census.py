"""What a process has and is, for comparing two of them: standard library only, it runs in servers.

``take()`` returns a dictionary of JSON. What belongs to one process alone (numbers of processes, addresses) is
written as a relation: whether the main thread's number is the process's, and not which number it is.
"""

import ctypes
import gc
import locale
import os
import resource
import signal
import stat
import sys
import threading
import time

NOT_ASKED = "not asked: another thread"
"""Stands for what only the first thread can ask."""

_PRCTL = {
    "PDEATHSIG": 2,
    "DUMPABLE": 3,
    "KEEPCAPS": 7,
    "TIMERSLACK": 30,
    "CHILD_SUBREAPER": 37,
    "NO_NEW_PRIVS": 39,
    "THP_DISABLE": 42,
}
_BY_POINTER = ("PDEATHSIG", "CHILD_SUBREAPER")
_KINDS = {
    stat.S_IFSOCK: "socket",
    stat.S_IFREG: "file",
    stat.S_IFCHR: "device",
    stat.S_IFIFO: "pipe",
    stat.S_IFDIR: "folder",
}


def take():
    """Return the census of this process."""
    found = {}
    for part in (_kernel, _interpreter, _streams, _threads, _memory, _modules):
        found.update(part())
    return found


def _kernel():
    status = _status()
    mask = os.umask(0)
    os.umask(mask)
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"]
    return {
        "signals blocked": status["SigBlk"],
        "signals ignored": status["SigIgn"],
        "signals caught": status["SigCgt"],
        "signals pending": status["ShdPnd"],
        "handlers": {number: repr(signal.getsignal(number)).partition(" at 0x")[0] for number in _signals()},
        "wake-up descriptor": _wakeup(),
        "timers": [signal.getitimer(each) for each in (signal.ITIMER_REAL, signal.ITIMER_PROF)],
        "umask": mask,
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
        "descriptors": sorted(_descriptors()),
        "cwd": os.getcwd(),
        "nice": os.nice(0),
        "scheduling": [os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))],
        "leads its session": os.getsid(0) == os.getpid(),
        "leads its group": os.getpgid(0) == os.getpid(),
        "terminal": _terminal(),
        "prctl": _prctl(),
        "users": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
        "capabilities": [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "seccomp": status.get("Seccomp"),
        "dumped memory": _read("/proc/self/coredump_filter"),
        "oom_score_adj": _read("/proc/self/oom_score_adj"),
        "personality": _read("/proc/self/personality"),
        "name": _read("/proc/self/comm"),
        "command line": _read("/proc/self/cmdline").split("\0")[:-1],
        "variables at the start": sorted(_read("/proc/self/environ").split("\0")[:-1]),
        "locked memory": status["VmLck"],
        "children": [child for task in _tasks() for child in _read(task + "/children").split()],
    }


def _interpreter():
    main = sys.modules["__main__"]
    names = ("__name__", "__file__", "__package__", "__doc__", "__cached__")
    return {
        "variables": dict(os.environ),
        "order of variables": list(os.environ),
        "variables of C": _variables_of_c(),
        "sys.argv": sys.argv,
        "sys.orig_argv": sys.orig_argv,
        "sys.flags": repr(sys.flags),
        "sys.warnoptions": sys.warnoptions,
        "sys._xoptions": sys._xoptions,
        "sys.path": sys.path,
        "sys.meta_path": [_name(each) for each in sys.meta_path],
        "sys.path_hooks": [_name(each) for each in sys.path_hooks],
        "sys.executable": sys.executable,
        "sys.prefix": [sys.prefix, sys.base_prefix, sys.exec_prefix],
        "sys.dont_write_bytecode": sys.dont_write_bytecode,
        "__main__": {name: repr(getattr(main, name, "absent")) for name in names},
        "__main__.__spec__": _spec(main),
        "hooks": [
            _name(each) for each in (sys.excepthook, sys.unraisablehook, sys.breakpointhook, sys.displayhook)
        ],
        "tracing": [repr(sys.gettrace()), repr(sys.getprofile())],
        "limits of Python": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()],
        "locale": [locale.setlocale(each) for each in (locale.LC_ALL, locale.LC_CTYPE, locale.LC_TIME)],
        "encodings": [sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), locale.getencoding()],
        "time zone": [list(time.tzname), time.timezone],
        "hashes are random": sys.flags.hash_randomization,
    }


def _streams():
    found = {}
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        found[f"sys.{name}"] = {
            "is the first": stream is getattr(sys, f"__{name}__"),
            "type": _name(type(stream)),
            "buffer": _name(type(stream.buffer)),
            "name": stream.name,
            "mode": stream.mode,
            "encoding": stream.encoding,
            "errors": stream.errors,
            "line_buffering": stream.line_buffering,
            "write_through": stream.write_through,
            "seekable": stream.seekable(),
            "closefd": getattr(stream.buffer, "raw", stream.buffer).closefd,
            "fileno": stream.fileno(),
        }
    return found


def _threads():
    main = threading.main_thread()
    return {
        "main thread": [_kind_of(main.name), main.is_alive(), main.daemon, _name(type(main))],
        "main thread is the process's first": main.native_id == os.getpid(),
        "main thread has a frame": main.ident in sys._current_frames(),
        "threads": sorted({_kind_of(each.name) for each in threading.enumerate()}),
        "threading hooks": [_name(threading.excepthook), repr(threading.gettrace()), threading.stack_size()],
    }


def _memory():
    return {
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
        "collector's callbacks": [_name(each) for each in gc.callbacks],
        "collector's frozen objects": gc.get_freeze_count() > 0,
        "collector's garbage": len(gc.garbage),
    }


def _modules():
    import atexit
    import decimal
    import faulthandler
    import logging
    import multiprocessing
    import multiprocessing.util
    import random
    import socket
    import tempfile
    import tracemalloc
    import warnings

    loggers = {
        name: [each.level, [_name(type(handler)) for handler in each.handlers], each.propagate, each.disabled]
        for name, each in logging.root.manager.loggerDict.items()
        if isinstance(each, logging.Logger)
    }
    return {
        "modules": sorted(sys.modules),
        "functions at exit": atexit._ncallbacks(),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "process": [multiprocessing.current_process().name, multiprocessing.parent_process() is None],
        "finalizers of multiprocessing": len(multiprocessing.util._finalizer_registry),
        "random numbers": random.random(),
        "filters of warnings": [repr(each) for each in warnings.filters],
        "tempfile.tempdir": tempfile.tempdir,
        "folder for temporary files": tempfile.gettempdir(),
        "socket.getdefaulttimeout": socket.getdefaulttimeout(),
        "faulthandler": faulthandler.is_enabled(),
        "tracemalloc": tracemalloc.is_tracing(),
        "decimal": repr(decimal.getcontext()),
        "loggers": loggers,
        "root logger": [logging.root.level, [_name(type(each)) for each in logging.root.handlers]],
        "logging": [logging.raiseExceptions, logging.root.manager.disable],
    }


def _status():
    lines = _read("/proc/self/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        return f"{error.strerror}"


def _signals():
    return sorted(int(number) for number in signal.valid_signals())


def _wakeup():
    """Return whether signals wake up an event loop; the number of its descriptor is by chance."""
    if threading.current_thread() is not threading.main_thread():
        return NOT_ASKED
    number = signal.set_wakeup_fd(-1)
    if number >= 0:
        signal.set_wakeup_fd(number)
    return number >= 0


def _descriptors():
    for name in os.listdir("/proc/self/fd"):
        try:
            found = os.fstat(int(name))
        except OSError:  # the one that lists them
            continue
        kind = _KINDS.get(stat.S_IFMT(found.st_mode)) or os.readlink(f"/proc/self/fd/{name}")
        inherited = "inheritable" if os.get_inheritable(int(name)) else "not inheritable"
        yield f"{name if int(name) < 3 else 'more'}: {kind}, {inherited}"


def _terminal():
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return "none"
    return "one"


def _prctl():
    call = ctypes.CDLL(None).prctl
    found = {}
    for name, number in _PRCTL.items():
        if name in _BY_POINTER:
            value = ctypes.c_int()
            call(number, ctypes.byref(value), 0, 0, 0)
            found[name] = value.value
        else:
            found[name] = call(number, 0, 0, 0, 0)
    return found


def _tasks():
    return [f"/proc/self/task/{name}" for name in os.listdir("/proc/self/task")]


def _variables_of_c():
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found = []
    while environ[len(found)] is not None:
        found.append(os.fsdecode(environ[len(found)]))
    return sorted(found)


def _spec(module):
    spec = module.__spec__
    return None if spec is None else [spec.name, spec.origin, spec.has_location, spec.cached, spec.parent]


def _kind_of(name):
    """Return the name of a thread without numbers: which of a server's workers answers is by chance."""
    return "".join("N" if letter.isdigit() else letter for letter in name.partition("-")[0])


def _name(value):
    own = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"{getattr(value, '__module__', '')}.{own}"
