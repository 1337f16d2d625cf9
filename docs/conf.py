"""Configuration of these pages, which are built with the extension that they describe."""

import os
import sys
from pathlib import Path

from sphinx_djconn import __version__
from sphinx_djconn.lab.profiles.projects import DEMO
from sphinx_djconn.lab.profiles.servers import SERVERS
from sphinx_djconn.scenario.grammar import MAX_COUNT, MAX_WAIT
from sphinx_djconn.scenario.request import METHODS, RESERVED_LABELS

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "sphinx_djconn"
author = "the sphinx_djconn authors"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name for it
version = release = __version__

extensions = [
    "djconn_benchmark",  # tables that are made from what the benchmark has found
    "djconn_reference",  # tables that are made from the code
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx_djconn",
]
exclude_patterns = ["_build"]
highlight_language = "text"

# Links to Django's documentation without its inventory: a build needs no network.
extlinks = {
    "setting": ("https://docs.djangoproject.com/en/stable/ref/settings/#std-setting-%s", "%s"),
    "ticket": ("https://code.djangoproject.com/ticket/%s", "#%s"),
}
# A server that is not installed, as mod_wsgi where there is no Apache, fails no build but those of the tests.
suppress_warnings = [] if "CI" in os.environ else ["djconn.absent"]
# Releases of Django for which a machine has no Python that they support are tried with a newer one.
djconn_unsupported_pythons = True
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # Python's own modules are documented elsewhere

djconn_projects = {
    "no-common-middleware": {
        "path": str(DEMO.path),
        "settings": "mysite.settings_without_common_middleware",
        "fixtures": ["polls"],
    },
    "two-databases": {
        "path": str(DEMO.path),
        "settings": "mysite.settings_two_databases",
        "fixtures": ["polls"],
    },
    # Ways to keep the current request, from demo_site/whose.
    **{
        way.replace("_", "-"): {"path": str(DEMO.path), "settings": f"mysite.settings_whose_{way}"}
        for way in ("thread_local", "thread_local_async", "context_var", "asgiref_local", "done_right")
    },
}

djconn_databases = {
    "room-for-three": {"kind": "postgresql", "max_connections": 3},
    # One of the four is the build's own: it asks for the sessions.
    "without-reserve": {
        "kind": "postgresql",
        "server_settings": {"max_connections": 4, "superuser_reserved_connections": 0},
    },
    "impatient": {"kind": "postgresql", "server_settings": {"idle_session_timeout": "2500ms"}},
    "in-paris": {"kind": "postgresql", "server_settings": {"timezone": "Europe/Paris"}},
}

djconn_environments = {
    # Django 3.0 as it was released: later it got an asgiref with other defaults.
    "3.0-with-asgiref-3.2": ["django==3.0", "asgiref~=3.2.0"],
}

djconn_servers = {
    # One process is enough to see what its threads, or its greenlets, do.
    "gunicorn-one-gthread": {
        "command": ["gunicorn", "--workers=1", "--threads=2", "--worker-class=gthread", "{wsgi}"],
        "env": dict(SERVERS["gunicorn-gthread"].env),
        "requires": ["gunicorn"],
    },
    "gunicorn-one-gevent": {
        "command": ["gunicorn", "--workers=1", "--worker-class=gevent", "{wsgi}"],
        "env": dict(SERVERS["gunicorn-gevent"].env),
        "requires": ["gunicorn", "gevent"],
    },
}

html_theme = "furo"
html_title = f"sphinx_djconn {release}"

rst_prolog = f"""
.. |most-requests| replace:: {MAX_COUNT:,}
.. |longest-wait| replace:: {MAX_WAIT:g}
.. |methods| replace:: {", ".join(f"``{method}``" for method in METHODS)}
.. |reserved-labels| replace:: {", ".join(f"``{label}``" for label in sorted(RESERVED_LABELS))}
"""
