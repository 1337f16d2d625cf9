"""The ASGI application of a project without the module that ``startproject`` creates for it."""

import importlib
from typing import Any

from django.conf import settings


def _application() -> Any:
    """Return the application that the settings name, or Django's if they name none, or this module."""
    module, _, name = (getattr(settings, "ASGI_APPLICATION", None) or __name__).rpartition(".")
    if __name__ in (module, name):
        return importlib.import_module("django.core.asgi").get_asgi_application()  # since Django 3.0
    return getattr(importlib.import_module(module), name)


application = _application()
