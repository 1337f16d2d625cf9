"""Why a recording does not tell what a run would do now, in words."""

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx_djconn.inputs import ABSENT, Inputs, below, split_listing
from sphinx_djconn.lab.environments.freeze import canonical
from sphinx_djconn.lab.inputs import variables
from sphinx_djconn.lab.inputs.files import CHANGED_MEANWHILE, FOLDER
from sphinx_djconn.lab.inputs.machine import Machine
from sphinx_djconn.lab.inputs.roots import COMMITTED, PACKAGES, root_of, shown

_NEW: Final = "new file"
_NEW_FOLDER: Final = "new folder"
_CHANGED: Final = "changed"
_GONE: Final = "is gone"

_MOST: Final = 3
"""Reasons that a message has in full."""


def reasons(
    inputs: Inputs,
    machine: Machine,
    ignored: Collection[str] = (),
    versions: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> list[str]:
    """Return what of ``inputs`` is no more as it was; nothing where all is.

    ``ignored`` are names of files that runs write. ``versions`` are the distributions that were installed when
    the inputs were recorded, and those that are now, as ``django==5.2.1``.
    """
    names = dict.fromkeys(_files(inputs, machine, {*ignored, *inputs.written}))
    others = [*_variables(inputs, machine), *(f"{shown(name)} changed" for name in _trees(inputs, machine))]
    return [*_by_distribution(names, machine, versions), *dict.fromkeys(others)]


def committed_reasons(inputs: Inputs, machine: Machine, ignored: Collection[str] = ()) -> list[str]:
    """Return what is no more as it was of the files that come with the documentation, hidden ones left out.

    A machine that only replays has other distributions, and other variables.
    """

    def counts(name: str) -> bool:
        rest = name.partition(":")[2]
        return root_of(name) in COMMITTED and not any(part.startswith(".") for part in rest.split("/"))

    ours = Inputs(
        files={name: state for name, state in inputs.files.items() if counts(name)},
        paths={name: state for name, state in inputs.paths.items() if counts(name)},
        listings={key: names for key, names in inputs.listings.items() if counts(split_listing(key)[1])},
        packages={name: stems for name, stems in inputs.packages.items() if counts(name)},
        trees=inputs.trees,
    )
    return reasons(ours, machine, ignored)


def told(found: Sequence[str]) -> str:
    """Return the reasons in ``found`` as one text, the first few in full."""
    more = len(found) - _MOST
    text = ", ".join(found if more <= 0 else [*found[:_MOST], f"and {more} more"])
    return text.encode("utf-8", "backslashreplace").decode()  # names of files may be no text


def _files(inputs: Inputs, machine: Machine, ignored: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of files that are not as they were, each with what is to be said of it."""
    for what in (_contents, _looked_for, _listed, _in_packages):
        yield from (each for each in what(inputs, machine) if each[0] not in ignored)
    for stem, before in inputs.modules.items():
        now = machine.where(stem, inputs.entries)
        if now != before:
            yield (now, _NEW) if now else (before, _GONE)


def _contents(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
    for name, before in inputs.files.items():
        now = machine.digest(name)
        if now == before:
            continue
        if before == CHANGED_MEANWHILE:
            yield name, "changed while it was recorded"
        else:
            yield name, _GONE if now == ABSENT else _CHANGED


def _looked_for(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
    for name, before in inputs.paths.items():
        now = machine.kind(name)
        if now == before:
            continue
        if now == ABSENT:
            yield name, _GONE
        elif before == ABSENT:
            yield name, _NEW_FOLDER if now == FOLDER else _NEW
        else:
            yield name, f"is a {now} now"


def _listed(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
    for key, before in inputs.listings.items():
        what, folder = split_listing(key)
        now = machine.names(what, machine.roots.path(folder))
        for name in sorted({*before} ^ {*now}):
            yield below(folder, name), _GONE if name in before else _NEW


def _in_packages(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
    for folder, stems in inputs.packages.items():
        place = machine.roots.path(folder)
        for stem, before in stems.items():
            for name in sorted({*before} ^ {*machine.matching(place, stem)}):
                yield below(folder, name), _GONE if name in before else _NEW


def _variables(inputs: Inputs, machine: Machine) -> Iterator[str]:
    names = set(inputs.variables)
    if variables.ALL in names:
        names |= {*machine.whole_environment}
    for name in sorted(names - {variables.ALL}):
        before, now = inputs.variables.get(name, ABSENT), machine.variable(name)
        if now != before:
            yield f"{name} {'was set' if not before else 'changed' if now else 'was unset'}"


def _trees(inputs: Inputs, machine: Machine) -> Iterator[str]:
    for name, before in inputs.trees.items():
        if machine.tree(name) != before:
            yield name


def _by_distribution(
    found: Iterable[tuple[str, str]], machine: Machine, versions: tuple[Sequence[str], Sequence[str]]
) -> list[str]:
    """Return reasons: one for all files of a distribution that has another version, else one for each file."""
    found = list(found)
    if not any(name.startswith(PACKAGES) for name, _ in found):
        return _each(found)
    before, now = map(_by_name, versions)
    other = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    said: dict[str, None] = {}
    for distribution in sorted(other):
        belongs = _files_of(distribution, machine)
        mine = [(name, what) for name, what in found if belongs(name)]
        if mine:
            said[_change(distribution, before.get(distribution), now.get(distribution))] = None
            found = [each for each in found if each not in mine]
    return [*said, *_each(found)]


def _each(found: Iterable[tuple[str, str]]) -> list[str]:
    """Return a reason for each file; of one that is there for several reasons, the first."""
    said: dict[str, str] = {}
    for name, what in found:
        text = shown(name.partition(os.pathsep)[0] if name.startswith(os.sep) else name)
        said.setdefault(name, f"{what} {text}" if what in (_NEW, _NEW_FOLDER) else f"{text} {what}")
    return list(said.values())


def _change(distribution: str, before: str | None, now: str | None) -> str:
    if before is None:
        return f"{distribution} {now} was installed"
    return f"{distribution} {before} was removed" if now is None else f"{distribution} {before} -> {now}"


def _by_name(distributions: Iterable[str]) -> Mapping[str, str]:
    split = (each.partition(" ")[0].partition("==") for each in distributions)
    return {name: version for name, _, version in split}


def _files_of(distribution: str, machine: Machine) -> Callable[[str], bool]:
    """Return what tells whether a file is of ``distribution``: its list of files, or its folder's name."""
    folder = distribution.replace("-", "_")
    recorded: set[str] = set()
    for packages in machine.packages:
        for name in (each for group in machine.files.names(packages).values() for each in group):
            if name.endswith(".dist-info") and canonical(name.partition("-")[0]) == distribution:
                with suppress(OSError), Path(packages, name, "RECORD").open(encoding="utf-8") as file:
                    recorded.update(row[0] for row in csv.reader(file) if row)

    def belongs(name: str) -> bool:
        root, _, path = name.partition(":")
        if not root.startswith(PACKAGES):
            return False
        top = path.partition("/")[0].partition(".")[0].partition("-")[0].lower()
        return path in recorded or f"{path}/__init__.py" in recorded or top == folder

    return belongs
