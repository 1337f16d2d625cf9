"""The ASGI application of a project that has no module for it where ``startproject`` puts one."""

import importlib
from typing import Any

from django.conf import settings


def _named() -> Any:
    """Return what the settings name; where that is nothing, or this module, Django's own."""
    module, _, name = (getattr(settings, "ASGI_APPLICATION", None) or __name__).rpartition(".")
    if __name__ in (module, name):
        return importlib.import_module("django.core.asgi").get_asgi_application()  # since Django 3.0
    return getattr(importlib.import_module(module), name)


application = _named()
