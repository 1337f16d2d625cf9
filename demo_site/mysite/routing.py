"""``path`` and ``include``, for Django 1.11, too: until then, routes were regular expressions."""

import re

try:
    from django.urls import include, path
except ImportError:
    from django.conf.urls import include, url

    def path(route, view, name=None):
        pattern = re.sub(r"<int:(\w+)>", r"(?P<\1>[0-9]+)", route)
        end = "$" if callable(view) else ""
        return url("^" + pattern + end, view, name=name)


__all__ = ["include", "path"]
