"""The settings of the site, for a project that keeps the request in a ``threading.local``."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import MIDDLEWARE

ROOT_URLCONF = "whose.urls"

GET_CURRENT_REQUEST = "whose.thread_local.get_current_request"

MIDDLEWARE = [
    "whose.early.early_middleware",
    *MIDDLEWARE,
    "whose.thread_local.RequestThreadMiddleware",
]
