"""Server profiles: how each server is started. Only this table refers to servers by name.

A server is given its port, the project's applications and the folder of its run by the placeholders that
:data:`PLACEHOLDERS` lists. How many workers it has, and what they do, is for the trace to show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.limits import MAX_TIMEOUT
from sphinx_djconn.lab.profiles.placeholders import unknown_placeholders
from sphinx_djconn.lab.profiles.tables import check_keys, is_string_list, is_string_table, is_timeout

_MAX_LOG_LIMIT: Final = 1 << 34

PLACEHOLDERS: Final[Mapping[str, str]] = {
    "python": "the interpreter of the environment",
    "port": "a TCP port of 127.0.0.1 that is held for this run",
    "wsgi": "the project's WSGI application, as ``mysite.wsgi:application``",
    "asgi": "the project's ASGI application",
    "wsgi_module": "the module of the first, as ``mysite.wsgi``",
    "folder": "a folder of the run's own, removed at its end",
}
"""The placeholders that a command and its environment variables may contain, and their meaning."""


@dataclass(frozen=True)
class Server:
    """How a server is started, and what it can do."""

    command: tuple[str, ...]
    """The command line, with :data:`PLACEHOLDERS`.

    The server has to listen at ``{port}``, or at port 0: then the kernel chooses one and the probe reports it.
    A program without a folder is searched for beside the interpreter, then on the PATH.
    """

    requires: tuple[str, ...] = ()
    """The distributions that it needs, as ``pip install`` takes them."""

    apps: tuple[str, ...] = ()
    """Applications that come first in INSTALLED_APPS."""

    reloads: bool = False
    """Whether it restarts when a source file changes."""

    refuses_root: bool = False
    """Whether it does not run as root; root then starts it in a user namespace, as another user."""

    env: tuple[tuple[str, str], ...] = ()
    """Environment variables, with :data:`PLACEHOLDERS`."""

    stop_seconds: float = 10.0
    """How long it may take to end after SIGTERM; some workers check only once a second."""

    log_limit: int = 1 << 24
    """How many bytes it may write to its log in one run."""

    @property
    def needs_port(self) -> bool:
        """Whether the lab chooses the port, and not the kernel."""
        return any("{port}" in word for word in (*self.command, *(value for _, value in self.env)))


def read_server(table: Mapping[str, Any], variable: str) -> Server:
    """Return the server that ``table`` describes, which is the value ``variable`` of conf.py.

    Raises :class:`ProfileError` if it is not usable.
    """
    check_keys(variable, table, {field.name for field in fields(Server)})
    command = table.get("command")
    if not command or not is_string_list(command):
        raise ProfileError(
            f"{variable}['command'] must be a list of words, such as "
            "['gunicorn', '--bind=127.0.0.1:{port}', '{wsgi}']"
        )
    env = table.get("env", {})
    if not is_string_table(env):
        raise ProfileError(f"{variable}['env'] must be a dictionary of strings")
    for key in ("requires", "apps"):
        if not is_string_list(table.get(key, ())):
            raise ProfileError(f"{variable}[{key!r}] must be a list of names")
    for name in unknown_placeholders((*command, *env.values()), PLACEHOLDERS):
        known = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
        raise ProfileError(f"{variable}: unknown placeholder `{{{name}}}`. Known: {known}")
    stop_seconds = table.get("stop_seconds", Server.stop_seconds)
    if not is_timeout(stop_seconds) and stop_seconds != 0:
        raise ProfileError(f"{variable}['stop_seconds'] must be a number from 0 to {MAX_TIMEOUT:,}")
    log_limit = table.get("log_limit", Server.log_limit)
    if not isinstance(log_limit, int) or isinstance(log_limit, bool) or not 0 < log_limit <= _MAX_LOG_LIMIT:
        raise ProfileError(f"{variable}['log_limit'] must be a number of bytes from 1 to {_MAX_LOG_LIMIT:,}")
    return Server(
        tuple(command),
        requires=tuple(table.get("requires", ())),
        apps=tuple(table.get("apps", ())),
        reloads=bool(table.get("reloads", False)),
        refuses_root=bool(table.get("refuses_root", False)),
        env=tuple(sorted(env.items())),
        stop_seconds=float(stop_seconds),
        log_limit=log_limit,
    )


_RUNSERVER: Final = ("{python}", "-m", "django", "runserver", "127.0.0.1:0")
_UWSGI: Final = (
    "pyuwsgi",
    "--http=127.0.0.1:{port}",
    "--http-keepalive",
    "--module={wsgi}",
    "--master",
    "--die-on-term",
)
_GRANIAN: Final = ("granian", "--host=127.0.0.1", "--port={port}")
_HYPERCORN: Final = ("hypercorn", "--bind=127.0.0.1:{port}", "--graceful-timeout=1")


def _gunicorn(*words: str, requires: tuple[str, ...] = ("gunicorn",)) -> Server:
    env = (
        ("GUNICORN_CMD_ARGS", "--bind=127.0.0.1:{port}"),
        ("XDG_RUNTIME_DIR", "{folder}"),  # for its control socket, which otherwise is in the home folder
    )
    return Server(("gunicorn", *words), requires, env=env)


SERVERS: Final[Mapping[str, Server]] = {
    "runserver": Server((*_RUNSERVER, "--noreload")),
    "runserver-nothreading": Server((*_RUNSERVER, "--noreload", "--nothreading")),
    "runserver-reload": Server(_RUNSERVER, reloads=True),
    "runserver-daphne": Server(
        ("{python}", "-m", "django", "runserver", "127.0.0.1:{port}", "--noreload"),
        requires=("daphne>=4",),
        apps=("daphne",),
    ),
    "runserver-plus": Server(
        ("{python}", "-m", "django", "runserver_plus", "127.0.0.1:{port}", "--reloader-type=stat"),
        requires=("django-extensions", "werkzeug"),
        apps=("django_extensions",),
        reloads=True,
    ),
    # The next three are the command lines of a widely read answer, verbatim.
    "gunicorn-sync": _gunicorn("--workers=3", "{wsgi}"),
    "gunicorn-gthread": _gunicorn("--workers=3", "--threads=2", "--worker-class=gthread", "{wsgi}"),
    "gunicorn-gevent": _gunicorn(
        *("--worker-class=gevent", "--worker-connections=1000", "--workers=3", "{wsgi}"),
        requires=("gunicorn", "gevent"),
    ),
    "gunicorn-tornado": _gunicorn(
        *("--worker-class=tornado", "--workers=3", "{wsgi}"), requires=("gunicorn", "tornado")
    ),
    "gunicorn-asgi": _gunicorn("--worker-class=asgi", "--workers=3", "{asgi}", requires=("gunicorn>=25",)),
    "gunicorn-uvicorn": _gunicorn(
        *("--worker-class=uvicorn_worker.UvicornWorker", "--workers=3", "{asgi}"),
        requires=("gunicorn", "uvicorn-worker"),
    ),
    "uwsgi": Server((*_UWSGI, "--processes=3"), ("pyuwsgi",)),
    "uwsgi-threads": Server((*_UWSGI, "--processes=2", "--threads=3"), ("pyuwsgi",)),
    "mod_wsgi": Server(
        (
            "mod_wsgi-express",
            "start-server",
            "--host=127.0.0.1",
            "--port={port}",
            "--server-root={folder}/apache",
            "--locale=C.UTF-8",
            "--log-to-terminal",
            "--processes=2",
            "--threads=3",
            "--application-type=module",
            "{wsgi_module}",
        ),
        requires=("mod_wsgi",),
        refuses_root=True,
    ),
    "waitress": Server(("waitress-serve", "--listen=127.0.0.1:{port}", "{wsgi}"), ("waitress",)),
    "cheroot": Server(("cheroot", "--bind=127.0.0.1:{port}", "{wsgi}"), ("cheroot",)),
    "granian-wsgi": Server((*_GRANIAN, "--interface=wsgi", "{wsgi}"), ("granian>=2",)),
    "hypercorn-wsgi": Server((*_HYPERCORN, "wsgi:{wsgi}"), ("hypercorn",)),
    "uvicorn": Server(("uvicorn", "--host=127.0.0.1", "--port={port}", "{asgi}"), ("uvicorn",)),
    "daphne": Server(("daphne", "--bind=127.0.0.1", "--port={port}", "{asgi}"), ("daphne",)),
    "hypercorn": Server((*_HYPERCORN, "{asgi}"), ("hypercorn",)),
    "granian-asgi": Server((*_GRANIAN, "--interface=asgi", "{asgi}"), ("granian>=2",)),
}
