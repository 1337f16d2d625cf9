"""The rows of the table, by name, in its order."""

from collections.abc import Callable
from typing import Final

from ..report import Row
from ..workplace import Workplace
from . import changed, cold, documentation, growth, large, lifecycle, matrix, postgresql, probe, unchanged

ROWS: Final[dict[str, Callable[[Workplace], Row]]] = {
    "cold": cold.measure,
    "unchanged": unchanged.measure,
    "changed": changed.measure,
    "growth": growth.measure,
    "probe": probe.measure,
    "large": large.measure,
    "lifecycle": lifecycle.measure,
    "matrix": matrix.measure,
    "postgresql": postgresql.measure,
    "documentation": documentation.measure,
}
