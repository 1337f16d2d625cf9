"""Which recording each scenario had in the last build: what tells an edited scenario from a new one."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path


class Names:
    """The names of recordings by those of scenarios, kept with the doctrees."""

    def __init__(self, doctrees: Path) -> None:
        self._path = doctrees / "djconn" / "scenarios.json"

    @cached_property
    def _known(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            found = json.loads(self._path.read_text("utf-8"))
            if isinstance(found, dict):
                return found
        return {}

    def was_edited(self, scenario: str, recording: str) -> bool:
        """Return whether ``scenario`` had another recording than the one of the name ``recording``."""
        return self._known.get(scenario, recording) != recording

    def update(self, recordings: Mapping[str, str]) -> None:
        """Keep the names of ``recordings`` by scenario."""
        if recordings != self._known:
            with suppress(OSError):  # then an edited one is taken for a new one
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_text(json.dumps(dict(sorted(recordings.items()))), "utf-8")
