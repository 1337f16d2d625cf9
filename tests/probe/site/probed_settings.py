"""The demo site, with a few views more and databases of several kinds."""

import gc
import os
from fractions import Fraction

from mysite.settings import *  # noqa: F403
from mysite.settings import MIDDLEWARE

# Connections whose threads have ended stay open until somebody asks for a collection.
gc.disable()

FOLDER = os.environ["PROBED_FOLDER"]
MAX_AGE = os.environ.get("PROBED_MAX_AGE", "None")

ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "probed_urls"
MIDDLEWARE = [each for each in MIDDLEWARE if "Csrf" not in each]


def database(engine="django.db.backends.sqlite3", name="default.sqlite3", **settings):
    name = name if name.startswith(":") else f"{FOLDER}/{name}"
    return {"ENGINE": engine, "NAME": name, "CONN_MAX_AGE": None, **settings}


DATABASES = {
    "default": database(CONN_MAX_AGE=None if MAX_AGE == "None" else float(MAX_AGE)),
    "ageless": database(CONN_MAX_AGE=0),
    "ageing": database(CONN_MAX_AGE=0.2),
    "fraction": database(CONN_MAX_AGE=Fraction(7, 2)),
    "in-memory": database(name=":memory:", CONN_MAX_AGE=0),
    "breakable": database("backends.breakable"),
    "checked": database("backends.breakable", CONN_HEALTH_CHECKS=True),
    "refusing": database("backends.refusing"),
    "half-open": database("backends.half_open"),
    "own-arguments": database("backends.own_arguments", CONN_MAX_AGE=0),
    "own-close": database("backends.own_close", CONN_MAX_AGE=0),
    "own-low-level-close": database("backends.own_low_level_close", CONN_MAX_AGE=0),
    "own-connect": database("backends.own_connect", CONN_MAX_AGE=0),
    "own-ensure-connection": database("backends.own_ensure_connection", CONN_MAX_AGE=0),
    "with-super": database("backends.with_super", CONN_MAX_AGE=0),
}
