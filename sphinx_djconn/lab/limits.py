"""Time limits of runs."""

from typing import Final

DEFAULT_TIMEOUT: Final = 30.0
"""The default limit of one run, in seconds."""

MAX_TIMEOUT: Final = 86_400
"""The highest limit that can be set, in seconds: one day. ``select`` and locks cannot wait for any number."""
