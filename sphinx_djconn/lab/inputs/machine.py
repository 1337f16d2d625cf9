"""This machine, as the runs of one project in one environment use it."""

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

_SYSTEM: Final = ("/proc/", "/sys/", "/dev/")
_OF_EVERYBODY: Final = tuple(map(Path, ("/", "/usr", "/usr/local", "/opt/homebrew", "/opt/local")))
_OURS: Final = tuple(os.path.join(PACKAGE, room) + os.sep for room in ("probe", "lab"))  # noqa: PTH118
_COMPILED: Final = (".pyc", "/__pycache__")
_METADATA: Final = (".dist-info", ".egg-info", ".egg")
_KINDS: Final = ("all", "modules", "metadata")
_JOURNALS: Final = ("-journal", "-wal", "-shm")


class Machine:
    """What runs of ``project`` in ``environment`` find here.

    Without an environment, only what is committed can be found. ``checkout`` is the folder with the docs.
    """

    def __init__(
        self, project: Project, environment: Environment | None, files: Files, checkout: Path | None = None
    ) -> None:
        self.files = files
        self._project = project
        self._environment = environment
        self._own_path = [] if environment is None else own_path(environment)
        places = {PROJECT: str(project.path), **({} if checkout is None else {CHECKOUT: str(checkout)})}
        given = python_path(environment)
        packages = [each for each in self._own_path if each.endswith("-packages") and each not in given]
        places |= {PACKAGES + (f"-{n}" if n else ""): each for n, each in enumerate(packages)}
        others = [each for each in self._own_path if each not in packages]
        places |= {f"python-path-{n}": each for n, each in enumerate(others) if not _is_within(each, places)}
        self.roots = Roots({**places, HOME: str(Path.home())})
        self.packages = frozenset(packages)
        if environment is not None and not environment.is_current:
            for each in packages:
                files.complete(each)
        self._installed = tuple(f"{each}{os.sep}" for each in (*self._own_path, project.path))
        self._pythons = () if environment is None else _pythons(environment)
        self._translated: dict[str, tuple[str, str] | None] = {}

    # What a run has used.

    def inputs(self, records: bytes, folder: Path) -> Inputs:
        """Return what the ``records`` of a run in ``folder`` tell; what is in that folder is the lab's own.

        Where there are none, all files of the project count.
        """
        found: dict[str, dict[str, None]] = {}
        apart = (f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}")
        told = records.decode("utf-8", "surrogateescape").split("\0")
        for record in dict.fromkeys(told):
            name = record[1:]
            if record and not f"{name}{os.sep}".startswith(apart):
                if record not in self._translated:
                    self._translated[record] = self._translate(record[0], name)
                translated = self._translated[record]
                if translated is not None:
                    found.setdefault(translated[0], {})[translated[1]] = None
        return self._of(found or {"t": {"": None}})

    def _translate(self, kind: str, name: str) -> tuple[str, str] | None:
        """Return what to note of a record, as category and name; ``None`` where it counts for nothing."""
        if kind in "Etm":
            return kind, name
        if kind == "e":
            return (kind, name) if variables.counts(name) else None
        folder, _, stem = name.partition("\n")
        path = os.path.normpath(folder)
        if self._is_apart(path) or (kind in "yn" and self._is_apart(path + os.sep)):
            return None
        return kind, f"{path}\n{stem}" if stem else path

    def _is_apart(self, path: str) -> bool:
        """Return whether ``path`` is the system's, Python's or our own."""
        if path.startswith((*_SYSTEM, *_OURS)) or path.endswith(_COMPILED) or path == PACKAGE:
            return True
        inside = f"{path}{os.sep}"
        return inside.startswith(self._pythons) and not inside.startswith(self._installed)

    def _of(self, found: Mapping[str, Iterable[str]]) -> Inputs:
        name, files = self.roots.name, self.files
        written = set(found.get("w", ()))
        connected = {each for each in found.get("b", ()) if files.is_newer(each)}
        written |= connected | {each + journal for each in found.get("b", ()) for journal in _JOURNALS}
        read = [each for each in (*found.get("r", ()), *found.get("b", ())) if each not in written]
        digests = {name(each): files.used(each) for each in read}
        paths = {each: state for each, state in digests.items() if state in (ABSENT, FOLDER)}
        paths |= {name(each): files.kind(each) for each in found.get("s", ()) if each not in written}
        entries = [each for each in found.get("y", ()) if each not in self._own_path]
        packages: dict[str, dict[str, tuple[str, ...]]] = {}
        for each in found.get("n", ()):
            folder, _, stem = each.partition("\n")
            names = matching(files, folder, stem)
            if not (names and self._is_installed(folder)):  # there, the digest of the file says all
                packages.setdefault(name(folder), {})[stem] = names
        modules = {stem: self._where(stem, entries) for stem in found.get("m", ())}
        trees = {}
        if "t" in found:
            trees = {name(str(self._project.path)): tree_digest(self._project.path, self._project.excluded)}
            digests |= self._module_files(found.get("m", ()), found.get("n", ()), entries)
        listings = {
            listing(what, name(folder)): self.names(what, folder, written)
            for kind, what in (("l", "all"), ("p", "modules"), ("d", "metadata"))
            for folder in found.get(kind, ())
        }
        for each in found.get("g", ()):
            folder, _, pattern = each.partition("\n")
            listings[listing(pattern, name(folder))] = self.names(pattern, folder, written)
        return Inputs(
            files={each: state for each, state in digests.items() if state not in (ABSENT, FOLDER)},
            paths=paths,
            listings=listings,
            entries=tuple(map(name, entries)),
            modules=modules,
            packages=packages,
            variables=self._variables(found.get("e", ()), everything="E" in found),
            trees=trees,
            written=tuple(sorted(map(name, written))),
        )

    def _is_installed(self, folder: str) -> bool:
        return any(folder.startswith(f"{each}{os.sep}") for each in self.packages)

    def _module_files(self, stems: Iterable[str], inner: Iterable[str], entries: list[str]) -> dict[str, str]:
        """Return the digests of the modules' files, which no record names."""
        found = [self.found(stem, entries) for stem in stems]
        for each in inner:
            folder, _, stem = each.partition("\n")
            found += [os.path.join(folder, name) for name in matching(self.files, folder, stem)]  # noqa: PTH118
        modules = [f"{each}/__init__.py" if self.files.kind(each) == FOLDER else each for each in found]
        there = [each for each in modules if each and not self._is_apart(each)]
        digests = {self.roots.name(each): self.files.used(each) for each in there}
        return {each: state for each, state in digests.items() if state not in (ABSENT, FOLDER)}

    def _variables(self, names: Iterable[str], *, everything: bool) -> dict[str, str]:
        """Return the variables that were read, with digests of their values."""
        if everything:
            names = [*names, *self.whole_environment]
        found = {name: self.variable(name) for name in names}
        return {**found, variables.ALL: ""} if everything else found

    # What is here now.

    def found(self, stem: str, entries: Iterable[str]) -> str:
        """Return where the module ``stem`` is imported from, ``entries`` before those of the environment."""
        current = self._environment is not None and self._environment.is_current
        return find(self.files, stem, [*entries, *self._own_path], current=current)

    def _where(self, stem: str, entries: Iterable[str]) -> str:
        """Return the same by name."""
        return os.pathsep.join(
            self.roots.name(each) for each in self.found(stem, entries).split(os.pathsep) if each
        )

    def where(self, stem: str, entries: Iterable[str]) -> str:
        """Return the name of the place where the module ``stem`` is imported from, with ``entries`` by name."""
        return self._where(stem, [path for path in map(self.roots.path, entries) if path])

    def names(self, what: str, folder: str, apart: Collection[str] = ()) -> tuple[str, ...]:
        """Return the names in ``folder`` that count for ``what``, one of :data:`_KINDS` or a pattern."""
        names = [name for group in self.files.names(folder).values() for name in group]
        within_project = f"{folder}{os.sep}".startswith(f"{self._project.path}{os.sep}")
        return tuple(
            name
            for name in sorted(names)
            if name != "__pycache__"
            and not name.endswith(".pyc")
            and (what == "metadata" or not name.endswith(".egg-info"))
            and os.path.join(folder, name) not in apart  # noqa: PTH118 - there are many
            and (
                what == "all"
                or (what == "metadata" and name.endswith(_METADATA) and not within_project)
                or (what == "modules" and ("." not in name or name.endswith((".py", ".so", ".pyd"))))
                or (what not in _KINDS and fnmatch.fnmatch(name, what))
            )
        )

    def digest(self, name: str) -> str:
        """Return a digest of the file ``name`` as it is now."""
        return self.files.digest(self.roots.path(name))

    def kind(self, name: str) -> str:
        """Return what ``name`` is now: ``file``, ``folder`` or :data:`ABSENT`."""
        return self.files.kind(self.roots.path(name))

    def matching(self, folder: str, stem: str) -> tuple[str, ...]:
        """Return the names in ``folder`` that could be the module ``stem``."""
        return matching(self.files, folder, stem)

    def looked_at(self, inputs: Inputs) -> Iterable[str]:
        """Yield the paths that an answer to whether ``inputs`` are as they were depends on."""
        path_of = self.roots.path
        yield from map(path_of, (*inputs.files, *inputs.paths, *inputs.packages, *inputs.entries))
        yield from (path_of(split_listing(key)[1]) for key in inputs.listings)
        yield from self._own_path
        for place in {place for places in inputs.modules.values() for place in places.split(os.pathsep)}:
            yield path_of(place)

    @cached_property
    def _environ(self) -> dict[str, str]:
        return inherited_environ()

    @property
    def whole_environment(self) -> list[str]:
        """The variables that count where all of them are read."""
        own = {name for name, _ in self._project.env}
        return sorted(each for each in self._environ if variables.counts(each, alone=False) and each not in own)

    def variable(self, name: str) -> str:
        """Return a digest of the variable ``name``, or :data:`ABSENT`."""
        value = self._environ.get(name)
        return ABSENT if value is None else variables.digest(name, value)

    def tree(self, name: str) -> str:
        """Return a digest of all files in the folder ``name``."""
        return tree_digest(Path(self.roots.path(name)), self._project.excluded)


def _pythons(environment: Environment) -> tuple[str, ...]:
    """Return the folders of the interpreter and its standard library: the version stands for them."""
    programs = [Path(each) for each in (environment.python, environment.base) if each]
    minor = "".join(environment.version.split(".")[:2])
    found = []
    for program in (*programs, *(each.resolve() for each in programs)):
        prefix = program.parent.parent
        version = environment.version.rpartition(".")[0]
        found += [program.parent, prefix / f"lib/python{version}", prefix / f"lib64/python{version}"]
        found += [prefix / f"lib/python{minor}.zip", prefix / "pyvenv.cfg"]
        # A virtual environment may be the project's folder; the system's Python shares its folder with others.
        if prefix not in _OF_EVERYBODY and not (prefix / "pyvenv.cfg").is_file():
            found.append(prefix)
    return tuple(dict.fromkeys(f"{each}{os.sep}" for each in found))


class Machines:
    """The machine as each project and environment of a build use it."""

    def __init__(self, files: Files, checkout: Path | None = None) -> None:
        self.files = files
        self._checkout = checkout
        self._made: dict[tuple[Project, str], Machine] = {}

    def of(self, project: Project, environment: Environment | None) -> Machine:
        """Return it for ``project`` in ``environment``."""
        key = project, "" if environment is None else environment.python + environment.name
        if key not in self._made:
            self._made[key] = Machine(project, environment, self.files, self._checkout)
        return self._made[key]


def _is_within(path: str, places: Mapping[str, str]) -> bool:
    return any(f"{path}{os.sep}".startswith(f"{place}{os.sep}") for place in places.values())
