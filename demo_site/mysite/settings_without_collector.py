"""The demo site without Python's garbage collector: what nobody closes stays, and can be counted."""

import gc

from .settings import *  # noqa: F403 - those settings, but for what follows

gc.disable()
