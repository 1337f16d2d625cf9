"""The warnings about scenarios, logged in the order of the pages."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sphinx_djconn.ext.messages import warn
from sphinx_djconn.ext.registry import DeclaredScenario


class _Warning(NamedTuple):
    declared: DeclaredScenario
    message: str
    subtype: str
    log: tuple[str, ...]
    location: str


class ScenarioWarnings:
    """Collects warnings in any order; :meth:`log` logs them in the order of the scenarios."""

    def __init__(self) -> None:
        self._warnings: list[_Warning] = []

    def __bool__(self) -> bool:
        return bool(self._warnings)

    def add(
        self,
        declared: DeclaredScenario,
        message: str,
        subtype: str,
        log: Sequence[str] = (),
        line: int | None = None,
    ) -> None:
        """Add a warning about ``declared``, or its step in ``line``, with the end of the server's ``log``."""
        location = declared.location if line is None else declared.location_of(line)
        self._warnings.append(_Warning(declared, message, subtype, tuple(log), str(location)))

    def log(self, order: Iterable[str]) -> None:
        """Log all warnings in the ``order`` of the scenarios' names; once if many cells have the same one."""
        positions = {name: position for position, name in enumerate(order)}
        groups: dict[tuple[str, ...], list[_Warning]] = {}
        for warning in sorted(self._warnings, key=lambda warning: positions[warning.declared.name]):
            key = (warning.declared.group, warning.message, warning.subtype, warning.location)
            groups.setdefault(key, []).append(warning)
        for first, *others in groups.values():
            tail = "\n    ".join(["", "the end of the log:", *first.log]) if first.log else ""
            more = f" (and {len(others)} more of its cells)" if others else ""
            warn(first.declared.subject + more, first.message + tail, first.subtype, first.location)
