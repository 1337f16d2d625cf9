"""The settings of one run: the project's own, on databases of the run's own.

Runs in the server's process, on Python 3.6 and later. ``DJCONN_SETTINGS`` names a JSON file with
``module`` (the project's settings), ``folder`` (where the databases are), ``secrets`` (a file for the
values that must not get into pages), ``conn_max_age`` and ``conn_health_checks`` (absent where the
project's own stand), ``apps`` and ``asgi`` (applications that a server brings with it, and what they
serve), ``databases`` (where they are on a server: its ``kind``, the ``entry`` of DATABASES, whose NAME all
names begin with, ``options``, and ``own``, whether the build started that server). What changes: ``DATABASES``,
``ALLOWED_HOSTS`` lets the lab's clients in, and a server's applications are installed.
"""

import importlib
import json
import os
import re
from typing import Any, Dict, Iterator, Tuple

# As django.views.debug.SafeExceptionReporterFilter does, and more: the lab decides which are secrets.
_HIDDEN = re.compile(
    "API|AUTH|TOKEN|KEY|SECRET|PASS|PWD|SIGNATURE|CREDENTIAL|PRIVATE|SALT|COOKIE|CERT", re.IGNORECASE
)
_LEAST_SECRET = 4
_URL_PASSWORD = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")


# How the engines of a kind are called, those of other packages too.
_ENGINES = {"postgresql": ("postgresql", "postgis"), "mariadb": ("mysql", "mariadb")}

# What would lead a driver elsewhere than to the server of the run, or make a pool that the page did not name.
_NOT_KEPT = frozenset(
    {"host", "hostaddr", "port", "user", "password", "passwd", "passfile", "dbname", "db"}
    | {"database", "service", "pool", "unix_socket", "read_default_file", "read_default_group", "assume_role"}
)


# What libpq takes from the environment beside what DATABASES says, and what could lead it elsewhere than to the
# server of the run (https://www.postgresql.org/docs/current/libpq-envars.html).
_LIBPQ = (
    *("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGHOSTADDR", "PGOPTIONS", "PGAPPNAME", "PGCLIENTENCODING"),
    *("PGDATESTYLE", "PGTZ", "PGGEQO", "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"),
    *("PGSSLMODE", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLCERT", "PGSSLKEY", "PGSSLROOTCERT", "PGSSLCRL"),
    *("PGREQUIREAUTH", "PGCHANNELBINDING", "PGREQUIREPEER", "PGGSSENCMODE", "PGMINPROTOCOLVERSION"),
    *("PGMAXPROTOCOLVERSION",),
)


def _private(databases: Dict[str, Any], spec: Dict[str, Any]) -> Dict[str, Any]:
    """Return ``databases`` with every alias on a database of the run's own."""
    private = {}
    mirrors = {alias: (settings.get("TEST") or {}).get("MIRROR") for alias, settings in databases.items()}
    own = [alias for alias, mirror in mirrors.items() if not mirror]
    for alias, settings in databases.items():
        target = mirrors[alias] or alias
        if "databases" in spec:
            ours = _on_server(settings, spec["databases"], own.index(target))
        else:
            ours = _in_file(settings, os.path.join(spec["folder"], f"{target}.sqlite3"))
        for key in ("conn_max_age", "conn_health_checks"):
            if key in spec:
                ours[key.upper()] = spec[key]
        private[alias] = ours
    return private


def _in_file(settings: Dict[str, Any], name: str) -> Dict[str, Any]:
    ours = dict(settings, NAME=name, HOST="", PORT="", USER="", PASSWORD="")
    if "sqlite" not in settings.get("ENGINE", ""):
        ours["ENGINE"] = "django.db.backends.sqlite3"
        ours["OPTIONS"] = {}
    return ours


def _on_server(settings: Dict[str, Any], given: Dict[str, Any], number: int) -> Dict[str, Any]:
    entry, engine = given["entry"], settings.get("ENGINE", "")
    ours = dict(settings, **entry)
    ours["NAME"] = f"{entry['NAME']}_{number}"
    options: Dict[str, Any] = {}
    if any(word in engine for word in _ENGINES[given["kind"]]):
        ours["ENGINE"] = engine
        theirs = settings.get("OPTIONS") or {}
        kept = (name for name in theirs if name not in _NOT_KEPT and not name.startswith("ssl"))
        options = {name: theirs[name] for name in kept}
    ours["OPTIONS"] = {**options, **entry["OPTIONS"], **given["options"]}
    return ours


def _secrets(name: str, value: Any) -> Iterator[Tuple[str, str]]:
    """Yield the texts in ``value`` that may be secrets, each with its name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(str(key), inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from _secrets(name, inner)
    elif isinstance(value, str):
        if len(value) >= _LEAST_SECRET and _HIDDEN.search(name):
            yield name, value
        for password in _URL_PASSWORD.findall(value):
            yield "PASSWORD", password


def _load() -> Dict[str, Any]:
    with open(os.environ["DJCONN_SETTINGS"]) as file:
        spec = json.load(file)
    module = importlib.import_module(spec["module"])
    settings = {name: getattr(module, name) for name in dir(module) if name.isupper()}
    secrets = {
        secret for name, value in settings.items() if name not in _HARMLESS for secret in _secrets(name, value)
    }
    with open(spec["secrets"], "w") as file:
        json.dump(sorted(secrets), file)
    settings["DATABASES"] = _private(settings.get("DATABASES", {}), spec)
    if spec.get("databases", {}).get("own"):
        for name in _LIBPQ:  # now: the project's settings may read them
            os.environ.pop(name, None)
    added = spec.get("apps", ())
    if added:
        installed = list(settings.get("INSTALLED_APPS", ()))
        settings["INSTALLED_APPS"] = [*(app for app in added if app not in installed), *installed]
        settings.setdefault("ASGI_APPLICATION", spec["asgi"])
    hosts = list(settings.get("ALLOWED_HOSTS", ()))
    if "*" not in hosts:
        settings["ALLOWED_HOSTS"] = [*hosts, "127.0.0.1", "localhost"]
    return settings


_HARMLESS = frozenset(
    {"AUTHENTICATION_BACKENDS", "AUTH_PASSWORD_VALIDATORS", "AUTH_USER_MODEL", "PASSWORD_HASHERS"}
)

globals().update(_load())

import djconn_reload  # type: ignore[import-not-found] # noqa: E402, F401 - a file of the lab's, for the auto-reloader to watch
