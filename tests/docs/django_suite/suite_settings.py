"""Settings for Django's own test suite, on SQLite or on the server that ``SUITE_DATABASE`` describes."""

import json
import os

TEST_RUNNER = "outcomes.Runner"
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
DATABASES = {
    alias: json.loads(os.environ.get("SUITE_DATABASE", '{"ENGINE": "django.db.backends.sqlite3"}'))
    for alias in ("default", "other")
}
if "SUITE_DATABASE" in os.environ:
    DATABASES["default"]["NAME"] = "django_suite"
    DATABASES["other"]["NAME"] = "django_suite_other"
