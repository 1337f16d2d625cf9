"""The demo site with a second database, each with an age of its own for connections."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import BASE_DIR, DATABASES

DATABASES = {
    "default": dict(DATABASES["default"], CONN_MAX_AGE=None),
    "archive": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(BASE_DIR / "archive.sqlite3"),
        "CONN_MAX_AGE": 0,
    },
}
