"""Fill Django's lazy caches for a project that is set up, before its server is forked.

Django fills them on first use, which is in each run: the list of commands, the URL resolver, the migration
graph, regular expressions, system checks. The checks, commands and views of the project itself run only in the
run.
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
"""Modules of Django and Python that every run imports."""

_LAZY_REGEX_MODULE = "django.utils.regex_helper"
_USED_IN_REQUESTS = (
    *("django.core.handlers.", "django.core.management.", "django.db.", "django.http.", "django.middleware."),
    *("django.template.", "django.urls.", "django.utils.text"),
)
"""Prefixes of the modules that every start and most requests use."""


def fill_caches() -> None:
    """Fill Django's lazy caches: URL resolver, migration graph, regular expressions, commands, system
    checks."""
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415 - needs the project's settings
    from django.urls import get_resolver  # noqa: PLC0415 - as above

    resolver = get_resolver()
    _ = resolver.url_patterns
    MigrationLoader(None, ignore_no_migrations=True)
    for name in _modules_of_settings():
        if name.startswith(("django.", "encodings.")):  # modules of the project are imported in the run
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    _ = resolver.reverse_dict
    _compile_regexes()
    _load_runserver()
    _run_django_checks()


def _modules_of_settings() -> list[str]:
    """Return the names of modules that handlers import because the settings name them."""
    from django.conf import settings  # noqa: PLC0415 - as above
    from django.template import engines  # noqa: PLC0415 - as above

    used = [*settings.MIDDLEWARE, *settings.AUTHENTICATION_BACKENDS]
    for engine in engines.all():
        used += getattr(getattr(engine, "engine", None), "context_processors", ())
    return [*(path.rpartition(".")[0] for path in used), *_MORE]


def _compile_regexes() -> None:
    """Compile the regular expressions that Django's modules compile on first use."""
    from django.utils.functional import SimpleLazyObject  # noqa: PLC0415 - as above

    for name, module in list(sys.modules.items()):
        if name.startswith(_USED_IN_REQUESTS):
            classes = [
                value for value in vars(module).values() if isinstance(value, type) and value.__module__ == name
            ]
            for value in [value for owner in (module, *classes) for value in vars(owner).values()]:
                if type(value) is SimpleLazyObject and value._setupfunc.__module__ == _LAZY_REGEX_MODULE:  # noqa: SLF001
                    _ = value.pattern


def _load_runserver() -> None:
    """List the commands, and create the argument parser of ``runserver``."""
    from django.core.management import get_commands, load_command_class  # noqa: PLC0415 - as above

    application = get_commands()["runserver"]
    if application.startswith("django."):
        load_command_class(application, "runserver").create_parser("django", "runserver").parse_args(["0"])


def _run_django_checks() -> None:
    """Run Django's own system checks for its own applications, and for the settings."""
    from django.apps import apps  # noqa: PLC0415 - as above
    from django.core.checks.registry import registry  # noqa: PLC0415 - as above

    configs: list[Any] = [config for config in apps.get_app_configs() if config.name.startswith("django.")]
    for check in registry.get_checks():
        if check.__module__.startswith("django."):
            check(app_configs=configs, databases=None)
