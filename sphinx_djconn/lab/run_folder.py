"""The private folder of one run, and the files that the lab and the run's processes exchange there."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from sphinx_djconn.lab.events.masking import is_secret
from sphinx_djconn.lab.process.temporary import RUN, TemporaryFolder, candidates
from sphinx_djconn.lab.profiles.projects import Project

INPUT_RECORDS: Final = "inputs"
"""The file in which the processes of a run record what they use."""

TEMPLATE_FOLDER: Final = Path("/proc/djconn")
"""Stands for the run's folder if a project is set up for many runs. No such folder can be created."""

_SETTINGS: Final = "settings.json"
_SECRETS: Final = "secrets"
_RELOAD_TRIGGER: Final = "djconn_reload.py"

_MAX_PARENT_BYTES: Final = 80
"""The longest path of a parent folder: the path of a Unix socket in the run's folder has about 100 bytes."""

_FALLBACK: Final = Path("/tmp")  # noqa: S108 - short, and on every system


class RunFolder:
    """The private folder of one run: settings, databases, the log, the probe's socket."""

    def __init__(self) -> None:
        parents = (path for path in candidates() if len(os.fsencode(path)) <= _MAX_PARENT_BYTES)
        self._folder = TemporaryFolder(next(parents, _FALLBACK), RUN)
        self.path = self._folder.path
        """Its path, which is known before it is created."""

        self.reload_trigger = self.path / _RELOAD_TRIGGER
        """The module that the ``reload`` step touches."""

    def __enter__(self) -> Self:
        """Create it."""
        self.create()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it and everything in it."""
        self.remove()

    def create(self) -> None:
        """Create it. Raises ``OSError``."""
        self._folder.make()
        try:
            self.reload_trigger.write_text("# The reload step touches this file.\n")
            self.path.joinpath(INPUT_RECORDS).touch()
        except OSError:
            self._folder.remove()
            raise

    def remove(self) -> None:
        """Remove it and everything in it."""
        self._folder.remove()

    @property
    def is_intact(self) -> bool:
        """Whether the lab's files still exist; only the project, or a clean-up program, can remove them."""
        return all(self.path.joinpath(name).exists() for name in (_RELOAD_TRIGGER, _SETTINGS, INPUT_RECORDS))

    def input_records(self) -> bytes:
        """Return what the processes of the run have recorded of what they use."""
        try:
            return self.path.joinpath(INPUT_RECORDS).read_bytes()
        except OSError:
            return b""

    def secrets(self) -> list[str]:
        """Return the secrets in the project's settings; none before a process has loaded them."""
        try:
            candidates = json.loads(self.path.joinpath(_SECRETS).read_text("utf-8"))
            return [value for name, value in candidates if is_secret(name, value)]
        except (OSError, ValueError, TypeError):
            return []

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Write the file that the settings module of the run reads."""
        self.path.joinpath(_SETTINGS).write_text(json.dumps(settings), "utf-8")


def run_settings(folder: Path, project: Project, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the settings module of a run in ``folder`` reads; ``inside/djconn_settings.py`` lists it."""
    own = {"module": project.settings, "folder": str(folder), "secrets": str(folder / _SECRETS)}
    return {**own, **overrides}
