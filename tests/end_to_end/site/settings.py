"""A site whose views write down what they do."""

from pathlib import Path

import witness  # noqa: F401 - it connects a signal

SECRET_KEY = "of the tests"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {
    alias: {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).parent / f"{alias}.sqlite3",
    }
    for alias in ("default", "archive")
}
