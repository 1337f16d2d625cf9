"""The settings of the site, for a project that keeps the request while it is handled, and no longer."""

from .settings import *  # noqa: F403 - those settings, but for what follows
from .settings import MIDDLEWARE

ROOT_URLCONF = "whose.urls"

GET_CURRENT_REQUEST = "whose.done_right.get_current_request"

MIDDLEWARE = [
    "whose.early.early_middleware",
    *MIDDLEWARE,
    "whose.done_right.current_request_middleware",
]
