"""SQLite databases of runs: created once per project, kept between builds, and copied for each run."""

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.databases.once import OncePerKey
from sphinx_djconn.lab.databases.preparation import Preparation, PreparationSpec, TimeLimit
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import PreparationError
from sphinx_djconn.lab.fingerprint import Fingerprints
from sphinx_djconn.lab.inputs.machine import Machine
from sphinx_djconn.lab.inputs.reasons import reasons
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.run_folder import RunFolder
from sphinx_djconn.lab.run_spec import RunServices, RunSpec

_INPUTS: Final = "inputs"
"""The file in a folder of the cache that contains the inputs of its databases."""

_MAX_CACHED: Final = 8
"""How many sets of databases of one project are kept, made from different states of its files."""


@dataclass(frozen=True)
class _FileTemplate:
    """Databases to be copied, in ``folder``, and what was used to create them."""

    folder: Path
    inputs: Inputs

    def copy_to(self, folder: Path) -> None:
        for database in self.folder.glob("*.sqlite3"):
            shutil.copyfile(database, folder / database.name)


class SQLiteDatabases:
    """The databases of one run, as files in its folder."""

    def __init__(self, title: str, template: _FileTemplate) -> None:
        self.settings: Mapping[str, Any] = {}
        self.description = {"Database": title}
        self.replacements: Mapping[str, str] = {}
        self.secrets: list[str] = []
        self.inputs = [template.inputs]
        self.server = None
        self._template = template

    def copy_to(self, folder: Path) -> None:
        """Copy the databases into ``folder``. Raises ``OSError``."""
        self._template.copy_to(folder)


class SQLiteProvider:
    """Provides SQLite databases, which ``cache`` keeps from one build to the next.

    Databases of the same name in the cache were created in the same way. Their inputs decide whether they would
    be created alike now. ``timeout`` is :confval:`djconn_timeout`, in seconds.
    """

    def __init__(self, cache: Path, fingerprints: Fingerprints, timeout: float) -> None:
        self._cache = cache
        self._fingerprints = fingerprints
        self._timeout = timeout
        self._templates: OncePerKey[_FileTemplate] = OncePerKey()
        self._begun: dict[str, Preparation] = {}

    def begin(self, project: Project, environment: Environment, services: RunServices) -> None:
        """Begin to create the databases of ``project`` if the cache has none, and return at once."""
        name = self._fingerprints.database_name(project, environment)
        if services.launcher.is_warm and self._cached(name, services.machine) is None:
            # If it fails, they are created when a run needs them, and that run reports the error.
            with suppress(OSError):
                self._begun[name] = Preparation(
                    self._preparation(project, environment), services.launcher, wait=False
                )

    def close(self) -> None:
        """End the preparations that have begun and that no run has needed."""
        while self._begun:
            self._begun.popitem()[1].close()

    @contextmanager
    def provide(self, spec: RunSpec, services: RunServices) -> Iterator[SQLiteDatabases]:
        """Yield the databases of a run, which are removed with its folder.

        Raises :class:`PreparationError` if the project's settings, migrations or fixtures fail, and
        :class:`Cancelled`.
        """
        name = self._fingerprints.database_name(spec.project, spec.environment)
        template = self._templates.get(
            name, lambda: self._cached(name, services.machine) or self._create(name, spec, services)
        )
        yield SQLiteDatabases(spec.database.title, template)

    def _cached(self, name: str, machine: Machine) -> _FileTemplate | None:
        """Return databases of an earlier build that would be created alike now."""
        for folder in sorted(self._cache.glob(f"{name}-*")):
            with suppress(OSError, ValueError):
                inputs = Inputs.from_json(json.loads(folder.joinpath(_INPUTS).read_text("utf-8")))
                if not reasons(inputs, machine):
                    return _FileTemplate(folder, inputs)
        return None

    def _create(self, name: str, spec: RunSpec, services: RunServices) -> _FileTemplate:
        begun = self._begun.pop(name, None)
        if begun is not None:
            with closing(begun):
                if begun.finish(services.cancellation):
                    return self._store(begun.folder, name, services.machine)
        preparation = Preparation(self._preparation(spec.project, spec.environment), services.launcher)
        with closing(preparation):
            if not preparation.finish(services.cancellation):
                raise preparation.failure()
            return self._store(preparation.folder, name, services.machine)

    def _preparation(self, project: Project, environment: Environment) -> PreparationSpec:
        return PreparationSpec(project, environment, TimeLimit.of(project, self._timeout))

    def _store(self, source: RunFolder, name: str, machine: Machine) -> _FileTemplate:
        """Copy the databases in ``source`` into the cache, atomically."""
        inputs = machine.inputs(source.input_records(), source.path)
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._prune(name)
            staging = Path(tempfile.mkdtemp(dir=self._cache, prefix="part-"))
        except OSError as error:
            raise _cannot_store(error) from error
        try:
            _FileTemplate(source.path, inputs).copy_to(staging)
            staging.joinpath(_INPUTS).write_text(json.dumps(inputs.to_json()), "utf-8")
            folder = self._cache / f"{name}-{secrets.token_hex(6)}"
            staging.rename(folder)
        except OSError as error:
            raise _cannot_store(error) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return _FileTemplate(folder, inputs)

    def _prune(self, name: str) -> None:
        """Remove the oldest databases of ``name``, so that there is room for one more."""
        folders = sorted(self._cache.glob(f"{name}-*"), key=lambda folder: folder.stat().st_mtime)
        for folder in folders[: len(folders) - _MAX_CACHED + 1]:
            shutil.rmtree(folder, ignore_errors=True)


def _cannot_store(error: OSError) -> PreparationError:
    return PreparationError(
        f"the project's databases could not be kept: {error.strerror}; make room, or "
        "move the doctrees (`sphinx-build -d`)"
    )
