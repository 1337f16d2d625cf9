"""The recording that each scenario had in the last build, to distinguish an edited scenario from a new one."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path


class RecordingNames:
    """The names of recordings by the names of scenarios, in a file beside the doctrees."""

    def __init__(self, doctrees: Path) -> None:
        self._path = doctrees / "djconn" / "scenarios.json"

    @cached_property
    def _last(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            names = json.loads(self._path.read_text("utf-8"))
            if isinstance(names, dict):
                return names
        return {}

    def was_edited(self, scenario: str, recording: str) -> bool:
        """Return whether ``scenario`` had another recording than ``recording`` in the last build."""
        return self._last.get(scenario, recording) != recording

    def update(self, recordings: Mapping[str, str]) -> None:
        """Save the names of ``recordings``, by the names of their scenarios."""
        if recordings != self._last:
            with suppress(OSError):  # the next build then reports an edited scenario as a new one
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_text(json.dumps(dict(sorted(recordings.items()))), "utf-8")
