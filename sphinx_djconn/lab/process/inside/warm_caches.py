"""What a server's start finds out of a project that is set up, found before the server is forked.

Django finds it when it first needs it, which is in each run, and keeps it in memory: which commands there
are, addresses by their names, patterns, what its own checks ask. The checks, commands and views that are the
project's have their time in the run.
"""

import contextlib
import importlib
import sys
from typing import Any

_MORE = (
    "django.conf.urls",
    "django.core.cache.backends.locmem",
    "django.core.management.commands.makemigrations",
    "django.db.models.sql.compiler",
    "django.views.csrf",
    "encodings.idna",
)
"""What a run imports of Django and Python, whatever its project."""

_LAZY = "django.utils.regex_helper"
_PASSED = (
    *("django.core.handlers.", "django.core.management.", "django.db.", "django.http.", "django.middleware."),
    *("django.template.", "django.urls.", "django.utils.text"),
)
"""How the names of the modules begin that every start and most requests pass."""


def rehearse() -> None:
    """Find all of it out."""
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415 - with the settings of a project
    from django.urls import get_resolver  # noqa: PLC0415 - as above

    resolver = get_resolver()
    _ = resolver.url_patterns
    MigrationLoader(None, ignore_no_migrations=True)
    for name in _used():
        if name.startswith(("django.", "encodings.")):  # the project's own have their time
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    _ = resolver.reverse_dict
    _patterns()
    _command()
    _checks()


def _used() -> list[str]:
    """Return the names of modules that handlers import for what the settings name."""
    from django.conf import settings  # noqa: PLC0415 - as above
    from django.template import engines  # noqa: PLC0415 - as above

    used = [*settings.MIDDLEWARE, *settings.AUTHENTICATION_BACKENDS]
    for engine in engines.all():
        used += getattr(getattr(engine, "engine", None), "context_processors", ())
    return [*(each.rpartition(".")[0] for each in used), *_MORE]


def _patterns() -> None:
    """Compile the regular expressions that Django's modules leave to those who need them first."""
    from django.utils.functional import SimpleLazyObject  # noqa: PLC0415 - as above

    for name, module in list(sys.modules.items()):
        if name.startswith(_PASSED):
            own = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
            for value in [value for owner in (module, *own) for value in vars(owner).values()]:
                if type(value) is SimpleLazyObject and value._setupfunc.__module__ == _LAZY:  # noqa: SLF001 - of Django's
                    _ = value.pattern


def _command() -> None:
    """Look for the commands, and make what reads the arguments of ``runserver``."""
    from django.core.management import get_commands, load_command_class  # noqa: PLC0415 - as above

    application = get_commands()["runserver"]
    if application.startswith("django."):
        load_command_class(application, "runserver").create_parser("django", "runserver").parse_args(["0"])


def _checks() -> None:
    """Have Django's own checks look at its own applications, and at the settings."""
    from django.apps import apps  # noqa: PLC0415 - as above
    from django.core.checks.registry import registry  # noqa: PLC0415 - as above

    own: list[Any] = [each for each in apps.get_app_configs() if each.name.startswith("django.")]
    for check in registry.get_checks():
        if check.__module__.startswith("django."):
            check(app_configs=own, databases=None)
