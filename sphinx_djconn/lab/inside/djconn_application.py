"""The applications of a project that has no module for them where ``startproject`` puts it."""

import importlib
from typing import Any

from django.conf import settings
from django.core.servers.basehttp import get_internal_wsgi_application


def _asgi() -> Any:
    named = getattr(settings, "ASGI_APPLICATION", None)
    if named:
        module, _, name = named.rpartition(".")
        return getattr(importlib.import_module(module), name)
    asgi = importlib.import_module("django.core.asgi")  # since Django 3.0
    return asgi.get_asgi_application()


def __getattr__(name: str) -> Any:
    if name == "wsgi":
        return get_internal_wsgi_application()
    if name == "asgi":
        return _asgi()
    raise AttributeError(name)
