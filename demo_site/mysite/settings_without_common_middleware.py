"""The settings of the site, for a project that does without ``CommonMiddleware``."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import MIDDLEWARE

MIDDLEWARE = [each for each in MIDDLEWARE if each != "django.middleware.common.CommonMiddleware"]
