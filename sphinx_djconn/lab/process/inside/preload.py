"""Set up a project before its server is forked: settings, applications, URLs, templates.

:func:`preload` does, in a fork of the fork server, what ``python -m django runserver`` does at the start of
each run. :class:`PreloadedProject` then binds a fork of that process to one run. The trace must not show a
difference. So this gives up if the set-up has an effect that a fork would miss, repeat, or have with the values
of another run: if it prints, writes, opens a connection, starts a thread or a process, handles a signal, wraps
what the probe wraps, or reads the name of a database's file or a variable that names the run's folder.

A process that has given up is not used: the runs of that project are then forked from the fork server.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx_djconn.lab.process.inside.side_effects import (
        ENVIRON_READS,
        PER_PROCESS_CALLS,
        PER_RUN_SETTING,
        TEMPLATE_FOLDER,
        SideEffectAudit,
        TrackedSettings,
        capture_output,
        patch_all,
        process_state,
    )
    from sphinx_djconn.lab.process.inside.warm_caches import fill_caches
else:  # when this runs, this folder is on sys.path, and the package is not
    from side_effects import (
        ENVIRON_READS,
        PER_PROCESS_CALLS,
        PER_RUN_SETTING,
        TEMPLATE_FOLDER,
        SideEffectAudit,
        TrackedSettings,
        capture_output,
        patch_all,
        process_state,
    )
    from warm_caches import fill_caches

_SETTINGS = "djconn_settings"


class _UnfitError(Exception):
    """The set-up had an effect that a fork of this process would not have."""


class PreloadedProject:
    """What has to be bound to a run in a fork.

    ``databases`` is DATABASES, and ``aliases`` are those whose connection wrappers were created, in order.
    ``environ`` are the variables that the set-up has changed, and ``secrets`` the content of the file of
    secrets.
    """

    def __init__(
        self,
        databases: dict[str, dict[str, Any]],
        aliases: list[str],
        environ: dict[str, str | None],
        secrets: bytes,
    ) -> None:
        self._databases = databases
        self._aliases = aliases
        self._environ = environ
        self._secrets = secrets

    def bind_to_run(self, folder: str) -> None:
        """Replace the template folder by ``folder``, in a fork that has the variables of the run."""
        for name, value in self._environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        sys.path[:] = [folder if entry == TEMPLATE_FOLDER else entry for entry in sys.path]
        sys.modules["djconn_reload"].__file__ = os.path.join(folder, "djconn_reload.py")
        for settings in self._databases.values():
            settings[PER_RUN_SETTING] = folder + settings[PER_RUN_SETTING][len(TEMPLATE_FOLDER) :]
        with open(os.path.join(folder, "secrets"), "wb") as file:
            file.write(self._secrets)
        _skip_next_setup()

    def create_connections(self) -> None:
        """Create the connection wrappers that the set-up creates, after the probe is attached."""
        from django.db import connections  # noqa: PLC0415 - needs the project's settings

        for alias in self._aliases:
            connections[alias]


def preload(spec: dict[str, Any]) -> PreloadedProject | None:
    """Set up the project of ``spec``; return ``None`` if that makes this process unfit to fork.

    ``spec`` is what a server is started with, with :data:`TEMPLATE_FOLDER` as the run's folder, and
    ``settings``, which the settings module reads. This process already has the variables, path and arguments of
    the server.
    """
    try:
        return _preload(spec)
    except (Exception, SystemExit):  # noqa: BLE001 - an ordinary start shows the error in the run's log
        return None


def _preload(spec: dict[str, Any]) -> PreloadedProject:
    audit = SideEffectAudit()
    before = process_state()
    with capture_output() as output_size, _settings_files(spec["settings"]) as (secrets_file, read_secrets):
        _imitate_django_main(spec["argv"])
        environ = dict(os.environ)
        audit.begin(secrets_file)
        with patch_all(PER_PROCESS_CALLS, audit.record_call), patch_all(ENVIRON_READS, audit.record_read):
            wrappers = _set_up()
        audit.end()
        changed = _changed(environ, dict(os.environ))
        secrets = read_secrets()
    if output_size():
        raise _UnfitError("printed")
    if audit.effects:
        raise _UnfitError(audit.effects)
    databases, tracked = _untrack_databases()
    aliases = _delete_wrappers(wrappers)
    if any(reference() is not None for reference in tracked):
        raise _UnfitError("references to the settings of databases remain")
    if process_state() != before:
        raise _UnfitError("the state of the process has changed")
    return PreloadedProject(databases, aliases, changed, secrets)


def _imitate_django_main(argv: list[str]) -> None:
    """Set ``__main__`` and ``sys.argv`` as in ``python -m django``: a project may check the command."""
    main = types.ModuleType("__main__")
    spec = importlib.util.find_spec("django.__main__")
    assert spec is not None
    main.__file__ = spec.origin
    main.__spec__ = spec
    main.__package__ = "django"
    sys.modules["__main__"] = main
    sys.argv = [str(spec.origin), *argv[3:]]
    trigger = types.ModuleType("djconn_reload")
    trigger.__file__ = os.path.join(TEMPLATE_FOLDER, "djconn_reload.py")
    sys.modules["djconn_reload"] = trigger


def _set_up() -> list[Any]:
    """Do what ``runserver`` does; return weak references to the connection wrappers that it creates."""
    import django  # noqa: PLC0415 - needs the project's settings, as all imports of Django here
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415

    module: Any = importlib.import_module(_SETTINGS)
    databases = {alias: TrackedSettings(entry) for alias, entry in module.DATABASES.items()}
    module.DATABASES = databases
    wrappers: list[Any] = []

    def record(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            wrappers.append(weakref.ref(self))
            original(self, *args, **kwargs)

        return init

    with patch_all([(BaseDatabaseWrapper, "__init__")], record):
        django.setup()
        before = _registered(wrappers)
        fill_caches()
    if _registered(wrappers) != before:
        raise _UnfitError("registered")  # an ordinary start might register them in another order
    return wrappers


def _registered(wrappers: list[Any]) -> list[Any]:
    """Return what depends on the order of imports, and affects system checks and queries at the start."""
    from django.apps import apps  # noqa: PLC0415
    from django.core.checks.registry import registry  # noqa: PLC0415

    models = [model for app_models in apps.all_models.values() for model in app_models.values()]
    return [len(wrappers), models, set(registry.registered_checks)]


def _untrack_databases() -> tuple[dict[str, dict[str, Any]], list[Any]]:
    """Replace the tracked entries of DATABASES by plain ones; return these, and weak references to the
    others."""
    from django.conf import settings  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    tracked = settings.DATABASES
    if not all(type(entry) is TrackedSettings for entry in tracked.values()):
        raise _UnfitError("DATABASES was replaced")
    if any(entry.was_read for entry in tracked.values()):
        raise _UnfitError("the name of a database was read")
    plain = {alias: dict(dict.items(entry)) for alias, entry in tracked.items()}
    settings.DATABASES = plain
    sys.modules[_SETTINGS].DATABASES = plain  # type: ignore[attr-defined]
    connections._settings = plain  # type: ignore[attr-defined] # noqa: SLF001 - as the settings have them
    connections.__dict__.pop("settings", None)
    return plain, [weakref.ref(entry) for entry in tracked.values()]


def _delete_wrappers(wrappers: list[Any]) -> list[str]:
    """Delete the connection wrappers; return their aliases, which must be unique."""
    from django.db import connections  # noqa: PLC0415

    aliases = [wrapper().alias for wrapper in wrappers if wrapper() is not None]
    if len(aliases) != len(wrappers) or len(set(aliases)) != len(aliases):
        raise _UnfitError("an alias has several wrappers")
    for alias in aliases:
        if connections[alias].connection is not None:
            raise _UnfitError("connected to a database")
        del connections[alias]
    gc.collect()
    if any(wrapper() is not None for wrapper in wrappers):
        raise _UnfitError("references to wrappers remain")
    return aliases


def _changed(before: dict[str, str], after: dict[str, str]) -> dict[str, str | None]:
    """Return the items of ``after`` that differ from ``before``, with ``None`` for those that are missing."""
    changed: dict[str, str | None] = {name: None for name in before if name not in after}
    changed.update((name, value) for name, value in after.items() if before.get(name) != value)
    return changed


def _skip_next_setup() -> None:
    """Make the next call of ``django.setup`` do nothing: it would configure logging again.

    That could disable loggers that the project's modules have created since the first call.
    """
    import django  # noqa: PLC0415

    original = django.setup

    def setup(**_: bool) -> None:
        django.setup = original

    django.setup = setup  # type: ignore[assignment]


@contextlib.contextmanager
def _settings_files(settings: dict[str, Any]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Let the settings module read ``settings``; yield the path of its file of secrets, and a reader of it."""
    with open(os.memfd_create("settings"), "w+") as file, open(os.memfd_create("secrets"), "w+b") as secrets:
        os.environ["DJCONN_SETTINGS"] = f"/proc/self/fd/{file.fileno()}"
        secrets_path = f"/proc/self/fd/{secrets.fileno()}"
        file.write(json.dumps({**settings, "secrets": secrets_path}))
        file.flush()

        def read_secrets() -> bytes:
            secrets.seek(0)
            return secrets.read()

        yield secrets_path, read_secrets
