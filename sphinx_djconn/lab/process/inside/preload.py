"""A project that is set up before its server is forked: settings, applications, addresses, templates.

:func:`ready` does, in a fork of the warm process, what ``python -m django runserver`` does in each run before
anything of a run matters; :class:`PreloadedProject` then makes a fork of that process one run's own. It must
not show in the trace. So this gives up where setting up does anything that a fork would not do, do twice, or
have done with another run's values: where it prints, writes, opens a connection, starts a thread or a
process, handles a signal, wraps what the probe wraps, or looks at the name of a database's file or at a
variable that names the run's folder.

A process that has given up is of no use: the runs of that project are then forked from the warm process.
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
        ENVIRON,
        PER_RUN,
        PLACE,
        STARTING,
        SideEffectAudit,
        TrackedSettings,
        printing,
        replaced,
        state,
    )
    from sphinx_djconn.lab.process.inside.warm_caches import rehearse
else:  # this folder, and not the package, is on the path of what runs here
    from side_effects import (
        ENVIRON,
        PER_RUN,
        PLACE,
        STARTING,
        SideEffectAudit,
        TrackedSettings,
        printing,
        replaced,
        state,
    )
    from warm_caches import rehearse

_SETTINGS = "djconn_settings"


class _UnfitError(Exception):
    """Something has happened that a fork could not have in the same way."""


class PreloadedProject:
    """What a fork has to make its run's own. ``aliases`` are the databases that were looked at, in turn."""

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

    def adopt(self, folder: str) -> None:
        """Be the run in ``folder``, in a fork whose variables are the run's."""
        for name, value in self._environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        sys.path[:] = [folder if entry == PLACE else entry for entry in sys.path]
        sys.modules["djconn_reload"].__file__ = os.path.join(folder, "djconn_reload.py")
        for settings in self._databases.values():
            settings[PER_RUN] = folder + settings[PER_RUN][len(PLACE) :]
        with open(os.path.join(folder, "secrets"), "wb") as file:
            file.write(self._secrets)
        _pass_over_setup()

    def look(self) -> None:
        """Have the wrappers of databases that setting up makes, now that the probe sees them made."""
        from django.db import connections  # noqa: PLC0415 - in the warm process, not where this is checked

        for alias in self._aliases:
            connections[alias]


def ready(spec: dict[str, Any]) -> PreloadedProject | None:
    """Set the project of ``spec`` up; return ``None`` where that leaves this process unfit to fork.

    ``spec`` is what a server is started with, but its folder is :data:`PLACE`, and ``settings`` has what
    the settings module reads from a file there. Variables, path and arguments are those of the server.
    """
    try:
        return _readied(spec)
    except (Exception, SystemExit):  # noqa: BLE001 - an ordinary start shows what is wrong, in the run's log
        return None


def _readied(spec: dict[str, Any]) -> PreloadedProject:
    watch = SideEffectAudit()
    before = state()
    with printing() as printed, _answering(spec["settings"]) as (own, secrets):
        _be_django(spec["argv"])
        environ = dict(os.environ)
        watch.begin(own)
        with replaced(STARTING, watch.threads), replaced(ENVIRON, watch.variables):
            wrappers = _set_up()
        watch.end()
        changed = _changed(environ, dict(os.environ))
        found = secrets()
    if printed():
        raise _UnfitError("printed")
    if watch.deeds:
        raise _UnfitError(watch.deeds)
    databases, noticing = _own_databases()
    aliases = _forgotten(wrappers)
    if any(each() is not None for each in noticing):
        raise _UnfitError("settings of databases are kept")
    if state() != before:
        raise _UnfitError("changed")
    return PreloadedProject(databases, aliases, changed, found)


def _be_django(argv: list[str]) -> None:
    """Look like ``python -m django``: a project may ask by which command it is set up."""
    main = types.ModuleType("__main__")
    found = importlib.util.find_spec("django.__main__")
    assert found is not None
    main.__file__ = found.origin
    main.__spec__ = found
    main.__package__ = "django"
    sys.modules["__main__"] = main
    sys.argv = [str(found.origin), *argv[3:]]
    trigger = types.ModuleType("djconn_reload")
    trigger.__file__ = os.path.join(PLACE, "djconn_reload.py")
    sys.modules["djconn_reload"] = trigger


def _set_up() -> list[Any]:
    """Do what ``runserver`` does; return weak references to the wrappers of databases it makes."""
    import django  # noqa: PLC0415 - with the settings of a project, which this process has only now
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415

    module: Any = importlib.import_module(_SETTINGS)
    databases = {alias: TrackedSettings(each) for alias, each in module.DATABASES.items()}
    module.DATABASES = databases
    wrappers: list[Any] = []

    def noting(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            wrappers.append(weakref.ref(self))
            original(self, *args, **kwargs)

        return init

    with replaced([(BaseDatabaseWrapper, "__init__")], noting):
        django.setup()
        before = _registered(wrappers)
        rehearse()
    if _registered(wrappers) != before:
        raise _UnfitError("registered")  # who knows whether that was their turn
    return wrappers


def _registered(wrappers: list[Any]) -> list[Any]:
    """Return what the order of imports decides for the checks and the queries before the first request."""
    from django.apps import apps  # noqa: PLC0415
    from django.core.checks.registry import registry  # noqa: PLC0415

    models = [model for each in apps.all_models.values() for model in each.values()]
    return [len(wrappers), models, set(registry.registered_checks)]


def _own_databases() -> tuple[dict[str, dict[str, Any]], list[Any]]:
    """Put plain settings in place of those that notice; return them, and weak references to the others."""
    from django.conf import settings  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    noticing = settings.DATABASES
    if not all(type(each) is TrackedSettings for each in noticing.values()):
        raise _UnfitError("databases")
    if any(each.looked_at for each in noticing.values()):
        raise _UnfitError("looked at")
    plain = {alias: dict(dict.items(each)) for alias, each in noticing.items()}
    settings.DATABASES = plain
    sys.modules[_SETTINGS].DATABASES = plain  # type: ignore[attr-defined]
    connections._settings = plain  # type: ignore[attr-defined] # noqa: SLF001 - as the settings have them
    connections.__dict__.pop("settings", None)
    return plain, [weakref.ref(each) for each in noticing.values()]


def _forgotten(wrappers: list[Any]) -> list[str]:
    """Forget the wrappers of databases; return their aliases, which each has once."""
    from django.db import connections  # noqa: PLC0415

    aliases = [wrapper().alias for wrapper in wrappers if wrapper() is not None]
    if len(aliases) != len(wrappers) or len(set(aliases)) != len(aliases):
        raise _UnfitError("wrappers")
    for alias in aliases:
        if connections[alias].connection is not None:
            raise _UnfitError("connection")
        del connections[alias]
    gc.collect()
    if any(wrapper() is not None for wrapper in wrappers):
        raise _UnfitError("kept")
    return aliases


def _changed(before: dict[str, str], after: dict[str, str]) -> dict[str, str | None]:
    """Return what ``after`` has otherwise than ``before``; ``None`` for what it has not."""
    changed: dict[str, str | None] = {name: None for name in before if name not in after}
    changed.update((name, value) for name, value in after.items() if before.get(name) != value)
    return changed


def _pass_over_setup() -> None:
    """Let the first call of ``django.setup`` do nothing: it would configure logging once more.

    That could disable the loggers which the project's modules have made since the first time.
    """
    import django  # noqa: PLC0415

    original = django.setup

    def setup(**_: bool) -> None:
        django.setup = original

    django.setup = setup  # type: ignore[assignment]


@contextlib.contextmanager
def _answering(settings: dict[str, Any]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Let the settings module read ``settings``; yield its file for secrets, and what reads that."""
    with open(os.memfd_create("settings"), "w+") as given, open(os.memfd_create("secrets"), "w+b") as secrets:
        os.environ["DJCONN_SETTINGS"] = f"/proc/self/fd/{given.fileno()}"
        own = f"/proc/self/fd/{secrets.fileno()}"
        given.write(json.dumps({**settings, "secrets": own}))
        given.flush()

        def written() -> bytes:
            secrets.seek(0)
            return secrets.read()

        yield own, written
