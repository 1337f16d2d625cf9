"""The settings module of one run: the project's settings, with the databases of the run.

It runs in the server's process, on Python 3.6 and later. It changes ``DATABASES``, allows the lab's clients in
``ALLOWED_HOSTS``, and installs applications that the server needs.

``DJCONN_SETTINGS`` names a JSON file with these keys:

* ``module``: the project's settings;
* ``folder``: the folder of the run;
* ``secrets``: the path of a file to write, for values that must not appear on pages;
* ``conn_max_age`` and ``conn_health_checks``: absent if the project's values are not changed;
* ``apps`` and ``asgi``: applications that the server needs, and the ASGI application that they serve;
* ``databases``: absent if they are SQLite files; otherwise the server's ``kind``, its ``entry`` in DATABASES
  (the NAME is a prefix), ``options``, how many databases are ``created``, and ``own``, whether the build
  started it.
"""

import importlib
import json
import os
import re
from typing import Any, Dict, Iterator, Tuple

# A superset of django.views.debug.SafeExceptionReporterFilter: the lab decides which values are secrets.
_SECRET_NAME = re.compile(
    "API|AUTH|TOKEN|KEY|SECRET|PASS|PWD|SIGNATURE|CREDENTIAL|PRIVATE|SALT|COOKIE|CERT", re.IGNORECASE
)
_MIN_SECRET_LENGTH = 4
_URL_PASSWORD = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")

# Words in the names of a kind's engines, including those of other packages.
_ENGINES = {"postgresql": ("postgresql", "postgis"), "mariadb": ("mysql", "mariadb")}

# Options that would make a driver connect to another server, or create a pool that the page does not name.
_DROPPED_OPTIONS = frozenset(
    {"host", "hostaddr", "port", "user", "password", "passwd", "passfile", "dbname", "db"}
    | {"database", "service", "pool", "unix_socket", "read_default_file", "read_default_group", "assume_role"}
)

# Variables from which libpq takes parameters that DATABASES does not contain, and that could make it connect to
# another server (https://www.postgresql.org/docs/current/libpq-envars.html).
_LIBPQ_VARIABLES = (
    *("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGHOSTADDR", "PGOPTIONS", "PGAPPNAME", "PGCLIENTENCODING"),
    *("PGDATESTYLE", "PGTZ", "PGGEQO", "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"),
    *("PGSSLMODE", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLCERT", "PGSSLKEY", "PGSSLROOTCERT", "PGSSLCRL"),
    *("PGREQUIREAUTH", "PGCHANNELBINDING", "PGREQUIREPEER", "PGGSSENCMODE", "PGMINPROTOCOLVERSION"),
    *("PGMAXPROTOCOLVERSION",),
)


def _run_databases(databases: Dict[str, Any], spec: Dict[str, Any]) -> Dict[str, Any]:
    """Return ``databases`` with every alias on a database of the run."""
    result = {}
    mirrors = {alias: (settings.get("TEST") or {}).get("MIRROR") for alias, settings in databases.items()}
    own = [alias for alias, mirror in mirrors.items() if not mirror]
    for alias, settings in databases.items():
        target = mirrors[alias] or alias
        if "databases" in spec:
            entry = _on_server(settings, spec["databases"], own.index(target))
        else:
            entry = _in_file(settings, os.path.join(spec["folder"], f"{target}.sqlite3"))
        for key in ("conn_max_age", "conn_health_checks"):
            if key in spec:
                entry[key.upper()] = spec[key]
        result[alias] = entry
    return result


def _in_file(settings: Dict[str, Any], name: str) -> Dict[str, Any]:
    entry = dict(settings, NAME=name, HOST="", PORT="", USER="", PASSWORD="")
    if "sqlite" not in settings.get("ENGINE", ""):
        entry["ENGINE"] = "django.db.backends.sqlite3"
        entry["OPTIONS"] = {}
    return entry


def _on_server(settings: Dict[str, Any], server: Dict[str, Any], number: int) -> Dict[str, Any]:
    own, engine = server["entry"], settings.get("ENGINE", "")
    entry = dict(settings, **own)
    entry["NAME"] = f"{own['NAME']}_{number}"
    options: Dict[str, Any] = {}
    if any(word in engine for word in _ENGINES[server["kind"]]):
        entry["ENGINE"] = engine
        options = {
            name: value
            for name, value in (settings.get("OPTIONS") or {}).items()
            if name not in _DROPPED_OPTIONS and not name.startswith("ssl")
        }
    entry["OPTIONS"] = {**options, **own["OPTIONS"], **server["options"]}
    return entry


def _secrets(name: str, value: Any) -> Iterator[Tuple[str, str]]:
    """Yield name and text of everything in ``value`` that may be secret."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(str(key), inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from _secrets(name, inner)
    elif isinstance(value, str):
        if len(value) >= _MIN_SECRET_LENGTH and _SECRET_NAME.search(name):
            yield name, value
        for password in _URL_PASSWORD.findall(value):
            yield "PASSWORD", password


def _load() -> Dict[str, Any]:
    with open(os.environ["DJCONN_SETTINGS"]) as file:
        spec = json.load(file)
    module = importlib.import_module(spec["module"])
    settings = {name: getattr(module, name) for name in dir(module) if name.isupper()}
    secrets = {
        secret
        for name, value in settings.items()
        if name not in _NO_SECRETS
        for secret in _secrets(name, value)
    }
    with open(spec["secrets"], "w") as file:
        json.dump(sorted(secrets), file)
    settings["DATABASES"] = _run_databases(settings.get("DATABASES", {}), spec)
    if spec.get("databases", {}).get("own"):
        for name in _LIBPQ_VARIABLES:  # only now: the project's settings may read them
            os.environ.pop(name, None)
    apps = spec.get("apps", ())
    if apps:
        installed = list(settings.get("INSTALLED_APPS", ()))
        settings["INSTALLED_APPS"] = [*(app for app in apps if app not in installed), *installed]
        settings.setdefault("ASGI_APPLICATION", spec["asgi"])
    hosts = list(settings.get("ALLOWED_HOSTS", ()))
    if "*" not in hosts:
        settings["ALLOWED_HOSTS"] = [*hosts, "127.0.0.1", "localhost"]
    return settings


_NO_SECRETS = frozenset(
    {"AUTHENTICATION_BACKENDS", "AUTH_PASSWORD_VALIDATORS", "AUTH_USER_MODEL", "PASSWORD_HASHERS"}
)

globals().update(_load())

import djconn_reload  # type: ignore[import-not-found] # noqa: E402, F401 - a file of the lab, which the auto-reloader watches
