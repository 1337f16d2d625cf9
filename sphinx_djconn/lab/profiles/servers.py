"""Servers: how each is started. Only this table knows any of them by name.

A server is told its port, the project's applications and the folder of its run by the words in braces
that :class:`Server` lists. What its workers are, how many, and what they do is for the trace to show.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_PLACE: Final = re.compile(r"\{([a-z_]*)\}")

PLACES: Final[Mapping[str, str]] = {
    "python": "the interpreter of the environment",
    "port": "a TCP port of 127.0.0.1 that is held for this run",
    "wsgi": "the project's WSGI application, as ``mysite.wsgi:application``",
    "asgi": "the project's ASGI application",
    "wsgi_module": "the module of the first, as ``mysite.wsgi``",
    "folder": "a folder of the run's own, removed at its end",
}
"""The words in braces that a command and its variables may contain."""


@dataclass(frozen=True)
class Server:
    """How a server is started and what it can do.

    ``command`` may contain the words of :data:`PLACES` in braces. It has to listen at ``{port}``, or at
    port 0, one that the kernel chooses and the probe reports. A program named without a folder is looked
    for beside the interpreter, then on the PATH. ``requires`` are the distributions it comes from, as
    ``pip install`` takes them. ``apps`` stand first in INSTALLED_APPS. ``reloads`` tells that it starts
    anew when a source file changes, ``refuses_root`` that it does not run as root: then it runs in a user
    namespace, in which it is somebody else. ``stop_seconds`` is how long it may take to end after
    SIGTERM (some workers look once a second whether they are to end), ``log_limit`` how many bytes it may
    write to its log in one run.
    """

    command: tuple[str, ...]
    requires: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    reloads: bool = False
    refuses_root: bool = False
    env: tuple[tuple[str, str], ...] = ()
    stop_seconds: float = 10.0
    log_limit: int = 1 << 24

    @property
    def is_given_its_port(self) -> bool:
        """Whether the server listens where it is told to, and not where the kernel chooses."""
        return any("{port}" in word for word in (*self.command, *(value for _, value in self.env)))


def unknown_places(words: Iterable[str], places: Collection[str] = PLACES) -> list[str]:
    """Return what stands in braces in ``words`` and is none of ``places``."""
    return [found for word in words for found in _PLACE.findall(word) if found not in places]


def filled(word: str, values: Mapping[str, str]) -> str:
    """Return ``word`` with ``values`` in the place of the words in braces; others stay as they are."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), word)


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
        ("XDG_RUNTIME_DIR", "{folder}"),  # for its control socket, which is in the home folder otherwise
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
    # The next three are command lines of a widely read answer, word for word.
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
