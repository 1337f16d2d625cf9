"""The settings of the site, for a project that keeps the request in a ``ContextVar``."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import MIDDLEWARE

ROOT_URLCONF = "whose.urls"

GET_CURRENT_REQUEST = "whose.context_var.get_current_request"

MIDDLEWARE = [
    "whose.early.early_middleware",
    *MIDDLEWARE,
    "whose.context_var.request_context_middleware",
]
