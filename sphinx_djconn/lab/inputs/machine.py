"""The inputs that this machine has for runs of a project in an environment, recorded and compared."""

import fnmatch
import os
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from sphinx_djconn.inputs import ABSENT, Inputs, listing, split_listing
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.file_digest import PACKAGE, tree_digest
from sphinx_djconn.lab.inputs import variables
from sphinx_djconn.lab.inputs.files import FOLDER, Files
from sphinx_djconn.lab.inputs.modules import find, matching, own_path, python_path
from sphinx_djconn.lab.inputs.roots import CHECKOUT, HOME, PACKAGES, PROJECT, Roots
from sphinx_djconn.lab.process.environ import inherited_environ
from sphinx_djconn.lab.profiles.projects import Project

# Paths that are no inputs: the system's, and those of our own code that has a fingerprint of its own.
_SYSTEM: Final = ("/proc/", "/sys/", "/dev/")
_SHARED_PREFIXES: Final = tuple(map(Path, ("/", "/usr", "/usr/local", "/opt/homebrew", "/opt/local")))
_OURS: Final = tuple(os.path.join(PACKAGE, name) + os.sep for name in ("probe", "lab"))  # noqa: PTH118
_COMPILED: Final = (".pyc", "/__pycache__")
_METADATA: Final = (".dist-info", ".egg-info", ".egg")
_KINDS: Final = ("all", "modules", "metadata")
_JOURNALS: Final = ("-journal", "-wal", "-shm")


class Machine:
    """What runs of ``project`` in ``environment`` find on this machine.

    Without an environment, only what is committed can be found. ``checkout`` is the repository with the docs.
    """

    def __init__(
        self, project: Project, environment: Environment | None, files: Files, checkout: Path | None = None
    ) -> None:
        self.files = files
        self._project = project
        self._environment = environment
        self._own_path = [] if environment is None else own_path(environment)
        folders = {PROJECT: str(project.path), **({} if checkout is None else {CHECKOUT: str(checkout)})}
        inherited_path = python_path(environment)
        packages = [
            each for each in self._own_path if each.endswith("-packages") and each not in inherited_path
        ]
        folders |= {PACKAGES + (f"-{n}" if n else ""): each for n, each in enumerate(packages)}
        others = [each for each in self._own_path if each not in packages]
        folders |= {f"python-path-{n}": each for n, each in enumerate(others) if not _is_within(each, folders)}
        self.roots = Roots({**folders, HOME: str(Path.home())})
        self.packages = frozenset(packages)
        if environment is not None and not environment.is_current:
            for each in packages:
                files.mark_complete(each)
        self._installed = tuple(f"{each}{os.sep}" for each in (*self._own_path, project.path))
        self._pythons = () if environment is None else _python_folders(environment)
        self._parsed: dict[str, tuple[str, str] | None] = {}

    # Record what a run has used.

    def inputs(self, records: bytes, folder: Path) -> Inputs:
        """Return the inputs in the probe's ``records`` of a run in ``folder``, which is not an input itself.

        Without records, all files of the project are inputs.
        """
        names: dict[str, dict[str, None]] = {}
        run_folder = (f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}")
        for record in dict.fromkeys(records.decode("utf-8", "surrogateescape").split("\0")):
            name = record[1:]
            if record and not f"{name}{os.sep}".startswith(run_folder):
                if record not in self._parsed:
                    self._parsed[record] = self._parse(record[0], name)
                parsed = self._parsed[record]
                if parsed is not None:
                    names.setdefault(parsed[0], {})[parsed[1]] = None
        return self._inputs(names or {"t": {"": None}})

    def _parse(self, kind: str, name: str) -> tuple[str, str] | None:
        """Return the kind and the name of a record; ``None`` if it is no input. See ``probe/inputs.py``."""
        if kind in "Etm":
            return kind, name
        if kind == "e":
            return (kind, name) if variables.counts(name) else None
        folder, _, stem = name.partition("\n")
        path = os.path.normpath(folder)
        if self._is_excluded(path) or (kind in "yn" and self._is_excluded(path + os.sep)):
            return None
        return kind, f"{path}\n{stem}" if stem else path

    def _is_excluded(self, path: str) -> bool:
        """Return whether ``path`` is the system's, Python's or our own, which have other fingerprints."""
        if path.startswith((*_SYSTEM, *_OURS)) or path.endswith(_COMPILED) or path == PACKAGE:
            return True
        inside = f"{path}{os.sep}"
        return inside.startswith(self._pythons) and not inside.startswith(self._installed)

    def _inputs(self, records: Mapping[str, Iterable[str]]) -> Inputs:
        """Return the inputs of ``records``, which are names by their kinds; see ``probe/inputs.py``."""
        name, files = self.roots.name, self.files
        databases = records.get("b", ())
        written = {*records.get("w", ()), *(path for path in databases if files.is_newer(path))}
        written |= {path + journal for path in databases for journal in _JOURNALS}
        read = [each for each in (*records.get("r", ()), *databases) if each not in written]
        digests = {name(each): files.digest_used(each) for each in read}
        paths = {each: state for each, state in digests.items() if state in (ABSENT, FOLDER)}
        paths |= {name(each): files.kind(each) for each in records.get("s", ()) if each not in written}
        entries = [each for each in records.get("y", ()) if each not in self._own_path]
        packages: dict[str, dict[str, tuple[str, ...]]] = {}
        for each in records.get("n", ()):
            folder, _, stem = each.partition("\n")
            names = matching(files, folder, stem)
            if not (names and self._is_installed(folder)):  # there, the digest of the file is enough
                packages.setdefault(name(folder), {})[stem] = names
        modules = {stem: self._module_name(stem, entries) for stem in records.get("m", ())}
        trees = {}
        if "t" in records:
            trees = {name(str(self._project.path)): tree_digest(self._project.path, self._project.excluded)}
            digests |= self._module_files(records.get("m", ()), records.get("n", ()), entries)
        listings = {
            listing(what, name(folder)): self.names(what, folder, written)
            for kind, what in (("l", "all"), ("p", "modules"), ("d", "metadata"))
            for folder in records.get(kind, ())
        }
        for each in records.get("g", ()):
            folder, _, pattern = each.partition("\n")
            listings[listing(pattern, name(folder))] = self.names(pattern, folder, written)
        return Inputs(
            files={each: state for each, state in digests.items() if state not in (ABSENT, FOLDER)},
            paths=paths,
            listings=listings,
            entries=tuple(map(name, entries)),
            modules=modules,
            packages=packages,
            variables=self._variables(records.get("e", ()), everything="E" in records),
            trees=trees,
            written=tuple(sorted(map(name, written))),
        )

    def _is_installed(self, folder: str) -> bool:
        return any(folder.startswith(f"{each}{os.sep}") for each in self.packages)

    def _module_files(self, stems: Iterable[str], inner: Iterable[str], entries: list[str]) -> dict[str, str]:
        """Return the digests of the files of modules, for which there are no records."""
        paths = [self.find_module(stem, entries) for stem in stems]
        for each in inner:
            folder, _, stem = each.partition("\n")
            paths += [os.path.join(folder, name) for name in matching(self.files, folder, stem)]  # noqa: PTH118
        modules = [f"{path}/__init__.py" if self.files.kind(path) == FOLDER else path for path in paths]
        modules = [path for path in modules if path and not self._is_excluded(path)]
        digests = {self.roots.name(path): self.files.digest_used(path) for path in modules}
        return {each: state for each, state in digests.items() if state not in (ABSENT, FOLDER)}

    def _variables(self, names: Iterable[str], *, everything: bool) -> dict[str, str]:
        """Return the variables that were read, with digests of their values."""
        if everything:
            names = [*names, *self.all_variables]
        digests = {name: self.variable_digest(name) for name in names}
        return {**digests, variables.ALL: ""} if everything else digests

    # Compare it with the machine as it is now.

    def find_module(self, stem: str, entries: Iterable[str]) -> str:
        """Return the path of the module ``stem``. ``entries`` come first in ``sys.path``."""
        current = self._environment is not None and self._environment.is_current
        return find(self.files, stem, [*entries, *self._own_path], current=current)

    def _module_name(self, stem: str, entries: Iterable[str]) -> str:
        """Return the name of the path of the module ``stem``; several for a namespace package."""
        paths = self.find_module(stem, entries).split(os.pathsep)
        return os.pathsep.join(self.roots.name(path) for path in paths if path)

    def module(self, stem: str, entries: Iterable[str]) -> str:
        """Return the name of the path of the module ``stem``. ``entries`` are names, too."""
        return self._module_name(stem, [path for path in map(self.roots.path, entries) if path])

    def names(self, what: str, folder: str, ignored: Collection[str] = ()) -> tuple[str, ...]:
        """Return the names in ``folder`` that count for ``what``: one of :data:`_KINDS`, or a pattern."""
        names = [name for group in self.files.names(folder).values() for name in group]
        is_in_project = f"{folder}{os.sep}".startswith(f"{self._project.path}{os.sep}")
        return tuple(
            name
            for name in sorted(names)
            if name != "__pycache__"
            and not name.endswith(".pyc")
            and (what == "metadata" or not name.endswith(".egg-info"))
            and os.path.join(folder, name) not in ignored  # noqa: PTH118 - there are many
            and (
                what == "all"
                or (what == "metadata" and name.endswith(_METADATA) and not is_in_project)
                or (what == "modules" and ("." not in name or name.endswith((".py", ".so", ".pyd"))))
                or (what not in _KINDS and fnmatch.fnmatch(name, what))
            )
        )

    def digest(self, name: str) -> str:
        """Return the digest of the file ``name``."""
        return self.files.digest(self.roots.path(name))

    def kind(self, name: str) -> str:
        """Return what ``name`` is: ``file``, ``folder`` or :data:`ABSENT`."""
        return self.files.kind(self.roots.path(name))

    def matching(self, folder: str, stem: str) -> tuple[str, ...]:
        """Return the names in ``folder`` that could be the module ``stem``."""
        return matching(self.files, folder, stem)

    def watched_paths(self, inputs: Inputs) -> Iterable[str]:
        """Yield the paths that have to be checked to see whether ``inputs`` have changed."""
        path_of = self.roots.path
        yield from map(path_of, (*inputs.files, *inputs.paths, *inputs.packages, *inputs.entries))
        yield from (path_of(split_listing(key)[1]) for key in inputs.listings)
        yield from self._own_path
        yield from map(path_of, {name for names in inputs.modules.values() for name in names.split(os.pathsep)})

    @cached_property
    def _environ(self) -> dict[str, str]:
        return inherited_environ()

    @property
    def all_variables(self) -> list[str]:
        """The variables that count if a run reads all of them."""
        own = {name for name, _ in self._project.env}
        return sorted(name for name in self._environ if variables.counts(name, alone=False) and name not in own)

    def variable_digest(self, name: str) -> str:
        """Return a digest of the variable ``name``, or :data:`ABSENT`."""
        value = self._environ.get(name)
        return ABSENT if value is None else variables.digest(name, value)

    def tree_digest(self, name: str) -> str:
        """Return a digest of all files in the folder ``name``."""
        return tree_digest(Path(self.roots.path(name)), self._project.excluded)


def _python_folders(environment: Environment) -> tuple[str, ...]:
    """Return the folders of the interpreter and its standard library, for which its version is enough."""
    programs = [Path(each) for each in (environment.python, environment.base) if each]
    minor = "".join(environment.version.split(".")[:2])
    folders = []
    for program in (*programs, *(each.resolve() for each in programs)):
        prefix = program.parent.parent
        version = environment.version.rpartition(".")[0]
        folders += [program.parent, prefix / f"lib/python{version}", prefix / f"lib64/python{version}"]
        folders += [prefix / f"lib/python{minor}.zip", prefix / "pyvenv.cfg"]
        # A virtual environment may contain the project, and the system's Python shares its prefix.
        if prefix not in _SHARED_PREFIXES and not (prefix / "pyvenv.cfg").is_file():
            folders.append(prefix)
    return tuple(dict.fromkeys(f"{folder}{os.sep}" for folder in folders))


class Machines:
    """The :class:`Machine` of each project and environment of a build."""

    def __init__(self, files: Files, checkout: Path | None = None) -> None:
        self.files = files
        self._checkout = checkout
        self._machines: dict[tuple[Project, str], Machine] = {}

    def of(self, project: Project, environment: Environment | None) -> Machine:
        """Return the machine for runs of ``project`` in ``environment``."""
        key = project, "" if environment is None else environment.python + environment.name
        if key not in self._machines:
            self._machines[key] = Machine(project, environment, self.files, self._checkout)
        return self._machines[key]


def _is_within(path: str, folders: Mapping[str, str]) -> bool:
    return any(f"{path}{os.sep}".startswith(f"{folder}{os.sep}") for folder in folders.values())
