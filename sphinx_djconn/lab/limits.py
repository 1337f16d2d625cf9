"""Time limits of runs."""

from typing import Final

DEFAULT_TIMEOUT: Final = 30.0
"""The default time limit of one run, in seconds."""

MAX_TIMEOUT: Final = 86_400
"""The longest time limit, in seconds: one day. ``select`` and locks reject very large numbers."""
