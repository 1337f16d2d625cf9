"""A project's environment variables, and its databases: made once, then copied for each run."""

import json
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self

from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import PreparationError, RunError
from sphinx_djconn.lab.fingerprint import Fingerprints
from sphinx_djconn.lab.inputs.machine import Machine, Machines
from sphinx_djconn.lab.inputs.reasons import reasons
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.forkserver_client import inherited
from sphinx_djconn.lab.process.launcher import Launcher, tail
from sphinx_djconn.lab.process.temporary import RUN, TemporaryFolder, candidates, end_processes_of
from sphinx_djconn.lab.profiles.profiles import Project
from sphinx_djconn.lab.profiles.servers import filled

_INSIDE: Final = Path(__file__).parents[1] / "process" / "inside"
PROBE: Final = Path(__file__).parents[2] / "probe" / "attach"
"""The folder that attaches the probe to a process that has it on its PYTHONPATH."""

RECORDS: Final = "inputs"
"""The file in a run's folder in which its processes record what they use."""

PLACE: Final = Path("/proc/djconn")
"""Stands for a run's folder where a project is set up for many runs; nobody can make one there."""

_LONGEST_PLACE: Final = 80
"""Bytes of a path that leave room for the names of a run's folder and of its socket."""

_EVERYWHERE: Final = Path("/tmp")  # noqa: S108 - short, and on every system

_SECONDS: Final = 120.0
"""How long the migrations and fixtures of a project may take, where conf.py allows no more."""

_KEPT_MOST: Final = 8
"""Prepared databases that are kept of one project, of different states of its files."""

_SHOWN: Final = 20
"""Lines of output that a message about a failed preparation carries."""


class RunFolder:
    """The private folder of one run: settings, databases, the log, the probe's socket."""

    def __init__(self) -> None:
        # Short, and in the system's folder: the name of a local socket has about 100 bytes.
        short = (path for path in candidates() if len(os.fsencode(path)) <= _LONGEST_PLACE)
        self._folder = TemporaryFolder(next(short, _EVERYWHERE), RUN)
        self.path = self._folder.path

    def __enter__(self) -> Self:
        """Make it; it has a name before."""
        self._folder.make()
        try:
            self.path.joinpath("djconn_reload.py").write_text("# The reload step touches this file.\n")
        except OSError:
            self._folder.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, and all that is in it."""
        self._folder.remove()

    @property
    def is_whole(self) -> bool:
        """Whether what the lab has put there still is; only the project, or a cleaner, can have removed it."""
        return all(self.path.joinpath(name).exists() for name in ("djconn_reload.py", "settings.json"))

    def take(self, prepared: Path) -> None:
        """Take copies of the databases in the folder ``prepared``."""
        for database in prepared.glob("*.sqlite3"):
            shutil.copyfile(database, self.path / database.name)

    def records(self) -> bytes:
        """Return what the processes of the run have recorded of what they use."""
        try:
            return self.path.joinpath(RECORDS).read_bytes()
        except OSError:
            return b""

    def secrets(self) -> list[str]:
        """Return the secrets in the project's settings, once a process has loaded them."""
        from sphinx_djconn.lab.events.masking import is_secret  # noqa: PLC0415 - with the rest of what masks

        try:
            found = json.loads(self.path.joinpath("secrets").read_text("utf-8"))
            return [value for name, value in found if is_secret(name, value)]
        except (OSError, ValueError, TypeError):
            return []

    def tell(self, settings: Mapping[str, Any]) -> None:
        """Write down what the settings module of the run reads."""
        self.path.joinpath("settings.json").write_text(json.dumps(settings), "utf-8")


def settings_in(place: Path, project: Project, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the settings module of a run in the folder ``place`` has to know."""
    own = {"module": project.settings, "folder": str(place), "secrets": str(place / "secrets")}
    return {**own, **overrides}


def variables_in(place: Path, project: Project, environment: Environment, *, probe: bool) -> dict[str, str]:
    """Return the variables that a process of a run in the folder ``place`` starts with, in ``environment``.

    With them, neither Python nor Django writes into the project's folder, not even bytecode; and what is on the
    path of the Python that builds the docs is on that of no other one.
    """
    variables = inherited()
    own_path = variables.get("PYTHONPATH", "").split(os.pathsep)
    if not environment.is_current:
        own_path = []
        variables.pop("PYTHONHOME", None)
    if os.pathsep in str(_INSIDE):
        raise RunError(
            f"nothing can be run by an extension that lies in a folder with `{os.pathsep}` in its path, which "
            "separates the paths in PYTHONPATH; install it elsewhere"
        )
    search = [str(PROBE), str(_INSIDE), str(place), str(project.path)]
    # In PYTHONPATH, such a path would be two: the probe puts it in its place.
    apart = {"DJCONN_PATH": search.pop()} if os.pathsep in search[-1] else {}
    own = {name: filled(value, {"folder": str(place)}) for name, value in project.env}
    return (
        variables
        | own
        | {
            "DJANGO_SETTINGS_MODULE": "djconn_settings",
            "DJCONN_SETTINGS": str(place / "settings.json"),
            "TMPDIR": str(place),  # what a killed server leaves lying about goes with the run
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join([*search, *filter(None, own_path)]),
            "DJCONN_INPUTS": str(place / RECORDS),
            **({"DJCONN_SOCKET": str(place / "s")} if probe else {}),
            **apart,
        }
    )


class Prepared(NamedTuple):
    """Databases to be copied, in a folder, and what was used to make them."""

    folder: Path
    inputs: Inputs


class FileDatabases:
    """The prepared databases of projects, kept in ``cache`` from one build to the next.

    Those of one name are made in the same way; which of them are as they would be made now, ``machines`` tell.
    ``timeout`` is :confval:`djconn_timeout`, in seconds.
    """

    def __init__(self, cache: Path, keys: Fingerprints, machines: Machines, timeout: float) -> None:
        self._cache = cache
        self._keys = keys
        self._machines = machines
        self._timeout = timeout
        self._found: dict[str, Prepared] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._failures: dict[str, PreparationError] = {}
        self._begun: dict[str, Preparation] = {}

    def begin(self, project: Project, environment: Environment, launcher: Launcher) -> None:
        """Begin to make the databases of ``project``, where there are none, and return at once."""
        name = self._keys.databases(project, environment)
        if launcher.is_warm and self._kept(name, self._machines.of(project, environment)) is None:
            with suppress(OSError):  # they will be made when they are needed, or it will be said why not
                self._begun[name] = Preparation(project, environment, launcher, self._timeout, wait=False)

    def close(self) -> None:
        """End what has begun and that nobody has needed."""
        while self._begun:
            self._begun.popitem()[1].close()

    def prepared(
        self, project: Project, environment: Environment, launcher: Launcher, interruption: Cancellation
    ) -> Prepared:
        """Return the databases of ``project`` as ``environment`` makes them, to be copied.

        Raises :class:`PreparationError` where the project's settings, migrations or fixtures fail, and
        ``Cancelled``.
        """
        name = self._keys.databases(project, environment)
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name in self._failures:
                raise self._failures[name]
            if name not in self._found:
                machine = self._machines.of(project, environment)
                try:
                    self._found[name] = self._kept(name, machine) or self._prepare(
                        name,
                        machine,
                        lambda: Preparation(project, environment, launcher, self._timeout),
                        interruption,
                    )
                except PreparationError as error:
                    self._failures[name] = error
                    raise
            return self._found[name]

    def _kept(self, name: str, machine: Machine) -> Prepared | None:
        """Return databases of an earlier build that would be made in the same way now."""
        for folder in sorted(self._cache.glob(f"{name}-*")):
            with suppress(OSError, ValueError):
                inputs = Inputs.from_json(json.loads(folder.joinpath(RECORDS).read_text("utf-8")))
                if not reasons(inputs, machine):
                    return Prepared(folder, inputs)
        return None

    def _prepare(
        self,
        name: str,
        machine: Machine,
        prepare: Callable[[], "Preparation"],
        interruption: Cancellation,
    ) -> Prepared:
        begun = self._begun.pop(name, None)
        if begun is not None:
            with closing(begun):
                if begun.finish(interruption):
                    return self._keep(begun.folder, name, machine)
        with closing(prepare()) as preparation:
            if not preparation.finish(interruption):
                raise preparation.failure()
            return self._keep(preparation.folder, name, machine)

    def _keep(self, made: RunFolder, name: str, machine: Machine) -> Prepared:
        """Move what was made into the cache: there whole, or not at all."""
        inputs = machine.inputs(made.records(), made.path)
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._make_room(name)
            staging = Path(tempfile.mkdtemp(dir=self._cache, prefix="part-"))
        except OSError as error:
            raise _not_kept(error) from error
        try:
            for database in made.path.glob("*.sqlite3"):
                shutil.copyfile(database, staging / database.name)
            staging.joinpath(RECORDS).write_text(json.dumps(inputs.to_json()), "utf-8")
            kept = self._cache / f"{name}-{secrets.token_hex(6)}"
            staging.rename(kept)
        except OSError as error:
            raise _not_kept(error) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return Prepared(kept, inputs)

    def _make_room(self, name: str) -> None:
        """Remove the databases of ``name`` that were made first, where there are many."""
        kept = sorted(self._cache.glob(f"{name}-*"), key=lambda each: each.stat().st_mtime)
        for folder in kept[: len(kept) - _KEPT_MOST + 1]:
            shutil.rmtree(folder, ignore_errors=True)


def _not_kept(error: OSError) -> PreparationError:
    return PreparationError(
        f"the project's databases could not be kept: {error.strerror}; make room, or "
        "move the doctrees (`sphinx-build -d`)"
    )


class OnServer(Protocol):
    """Databases on a server, to be migrated."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the settings module has to know of them."""

    @property
    def shown(self) -> dict[str, str]:
        """Texts of the machine's, and what a page shows for them."""

    @property
    def secrets(self) -> list[str]:
        """Texts that no page may show."""


class _Limit(NamedTuple):
    """How many seconds a preparation may take, and what to say where they were not enough."""

    seconds: float
    message: str

    @classmethod
    def of(cls, project: Project, timeout: float) -> Self:
        if project.timeout is not None:
            seconds, source = project.timeout, "the `timeout` of the project in conf.py; raise that"
        elif timeout > _SECONDS:
            seconds = timeout
            source = "the `djconn_timeout` of conf.py; raise that, or give the project a `timeout` of its own"
        else:
            seconds = _SECONDS
            source = "the default limit; raise `djconn_timeout`, or give the project a `timeout` in conf.py"
        return cls(seconds, f"it took more than {seconds:g} seconds, {source}")


class Preparation:
    """The process that makes the databases of ``project`` in ``environment``, and the folder in which it does.

    ``timeout`` is :confval:`djconn_timeout`, in seconds. ``wait`` asks it to wait for the warm process; else
    nothing may come of it. ``databases`` are those on a server; else they are files in the folder. In the
    folder it also says how many are ``wanted``: where that is more than there are on the server, it has done
    nothing else.
    """

    def __init__(
        self,
        project: Project,
        environment: Environment,
        launcher: Launcher,
        timeout: float,
        *,
        wait: bool = True,
        databases: OnServer | None = None,
    ) -> None:
        self.folder = RunFolder()
        self._limit = _Limit.of(project, timeout)
        self._databases = databases
        self._project = project
        self._environment = environment
        command = [launcher.python, str(_INSIDE / "prepare.py"), *project.fixtures]
        env = variables_in(self.folder.path, project, environment, probe=False)
        self._process = launcher.supervise(command, self.folder.path, env=env, wait=wait)
        try:
            self.folder.__enter__()
            own = {} if databases is None else databases.settings
            self.folder.tell(settings_in(self.folder.path, project, own))
            self._process.start(env=env, cwd=project.path, seconds=self._limit.seconds)
        except BaseException:
            self.close()
            raise

    def finish(self, interruption: Cancellation) -> bool:
        """Wait for the end of it; return whether there was one, and not only an end of the warm process.

        Raises :class:`PreparationError` and ``Cancelled``.
        """
        reports = self._process.finish(interruption, self._limit.seconds)
        if not {"exit", "gone"} & reports.keys():
            end_processes_of(self.folder.path)  # the supervisor was killed
        if not reports:
            return False
        if reports.get("exit") != 0:
            raise self.failure(reports, tail(self._process.log))
        self._process.close()
        return True

    def failure(self, reports: Mapping[str, Any] | None = None, output: bytes = b"") -> PreparationError:
        """Return the error that tells what went wrong."""
        places = {**self._environment.path_labels, self._project.path: "<project>", self.folder.path: "<run>"}
        late = self._limit.message if reports and "late" in reports else ""
        return _explained(self._project, self.folder, places, reports or {}, output, self._databases, late)

    def close(self) -> None:
        """End it, and remove its folder."""
        self._process.close()
        self.folder.__exit__()


def _explained(
    project: Project,
    folder: RunFolder,
    places: Mapping[Path, str],
    reports: Mapping[str, Any],
    output: bytes,
    databases: OnServer | None,
    late: str,
) -> PreparationError:
    from sphinx_djconn.lab.events.sanitizer import Sanitizer  # noqa: PLC0415 - for what hardly ever happens

    secrets, names = folder.secrets(), {}
    if databases is not None:
        secrets, names = [*secrets, *databases.secrets], databases.shown
    shown = Sanitizer(places, secrets, project.env, names).lines(output)
    if not folder.secrets():  # nobody knows them: no line of the settings may be shown
        shown = tuple(line for line in shown if not line.startswith("    "))
    last = next((line for line in reversed(shown) if line.strip()), "no output")
    if late:
        last = f"{late}; the last line of its output: {last}"
    if "flood" in reports:
        last = f"it wrote more than a preparation may; {last}"
    return PreparationError(
        f"the project's databases could not be prepared: {last} (settings module "
        f"`{project.settings}`; try `python manage.py migrate` in the project's folder)",
        shown[-_SHOWN:],
    )
