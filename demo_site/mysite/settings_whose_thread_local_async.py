"""The settings of the site, for a project that does so for async views, too."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import MIDDLEWARE

ROOT_URLCONF = "whose.urls"

GET_CURRENT_REQUEST = "whose.thread_local_async.get_current_request"

MIDDLEWARE = [
    "whose.early.early_middleware",
    *MIDDLEWARE,
    "whose.thread_local_async.request_thread_middleware",
]
