"""The settings of the site, for a project that keeps the request in asgiref's ``Local``."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import MIDDLEWARE

ROOT_URLCONF = "whose.urls"

GET_CURRENT_REQUEST = "whose.asgiref_local.get_current_request"

MIDDLEWARE = [
    "whose.early.early_middleware",
    *MIDDLEWARE,
    "whose.asgiref_local.request_local_middleware",
]
