"""Explain why a recording is outdated: which of its inputs have changed."""

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx_djconn.inputs import ABSENT, Inputs, join, split_listing
from sphinx_djconn.lab.environments.freeze import canonical
from sphinx_djconn.lab.inputs import variables
from sphinx_djconn.lab.inputs.files import CHANGED_MEANWHILE, FOLDER
from sphinx_djconn.lab.inputs.machine import Machine
from sphinx_djconn.lab.inputs.roots import COMMITTED, PACKAGES, display_name, root_of

_NEW: Final = "new file"
_NEW_FOLDER: Final = "new folder"
_CHANGED: Final = "changed"
_GONE: Final = "is gone"

_MAX_REASONS: Final = 3
"""Reasons that a message has in full."""


def reasons(
    inputs: Inputs,
    machine: Machine,
    ignored: Collection[str] = (),
    versions: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> list[str]:
    """Return a text for each of ``inputs`` that has changed; an empty list if none has.

    ``ignored`` are names of files that runs write. ``versions`` are the distributions that were installed when
    the inputs were recorded, and those that are installed now, for example ``django==5.2.1``.
    """
    changes = dict.fromkeys(_file_changes(inputs, machine, {*ignored, *inputs.written}))
    others = [
        *_variable_changes(inputs, machine),
        *(f"{display_name(name)} changed" for name in _tree_changes(inputs, machine)),
    ]
    return [*_by_distribution(changes, machine, versions), *dict.fromkeys(others)]


def committed_reasons(inputs: Inputs, machine: Machine, ignored: Collection[str] = ()) -> list[str]:
    """Return a text for each file that is committed with the documentation and has changed.

    Hidden files are left out. Other inputs are not compared, because a machine that only replays has other
    distributions and variables.
    """

    def counts(name: str) -> bool:
        rest = name.partition(":")[2]
        return root_of(name) in COMMITTED and not any(part.startswith(".") for part in rest.split("/"))

    committed = Inputs(
        files={name: state for name, state in inputs.files.items() if counts(name)},
        paths={name: state for name, state in inputs.paths.items() if counts(name)},
        listings={key: names for key, names in inputs.listings.items() if counts(split_listing(key)[1])},
        packages={name: stems for name, stems in inputs.packages.items() if counts(name)},
        trees=inputs.trees,
    )
    return reasons(committed, machine, ignored)


def summarize(texts: Sequence[str]) -> str:
    """Return the first few of ``texts`` in one line, and how many more there are."""
    more = len(texts) - _MAX_REASONS
    text = ", ".join(texts if more <= 0 else [*texts[:_MAX_REASONS], f"and {more} more"])
    return text.encode("utf-8", "backslashreplace").decode()  # names of files may contain surrogates


def _file_changes(inputs: Inputs, machine: Machine, ignored: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of files that have changed, and how."""
    for compare in (_contents, _existence, _listings, _packages):
        yield from (change for change in compare(inputs, machine) if change[0] not in ignored)
    for stem, before in inputs.modules.items():
        now = machine.module(stem, inputs.entries)
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


def _existence(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
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


def _listings(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
    for key, before in inputs.listings.items():
        what, folder = split_listing(key)
        now = machine.names(what, machine.roots.path(folder))
        for name in sorted({*before} ^ {*now}):
            yield join(folder, name), _GONE if name in before else _NEW


def _packages(inputs: Inputs, machine: Machine) -> Iterator[tuple[str, str]]:
    for folder, stems in inputs.packages.items():
        path = machine.roots.path(folder)
        for stem, before in stems.items():
            for name in sorted({*before} ^ {*machine.matching(path, stem)}):
                yield join(folder, name), _GONE if name in before else _NEW


def _variable_changes(inputs: Inputs, machine: Machine) -> Iterator[str]:
    names = set(inputs.variables)
    if variables.ALL in names:
        names |= {*machine.all_variables}
    for name in sorted(names - {variables.ALL}):
        before, now = inputs.variables.get(name, ABSENT), machine.variable_digest(name)
        if now != before:
            yield f"{name} {'was set' if not before else 'changed' if now else 'was unset'}"


def _tree_changes(inputs: Inputs, machine: Machine) -> Iterator[str]:
    for name, before in inputs.trees.items():
        if machine.tree_digest(name) != before:
            yield name


def _by_distribution(
    changes: Iterable[tuple[str, str]], machine: Machine, versions: tuple[Sequence[str], Sequence[str]]
) -> list[str]:
    """Return a text for each distribution with another version, and one for each other changed file."""
    changes = list(changes)
    if not any(name.startswith(PACKAGES) for name, _ in changes):
        return _file_texts(changes)
    before, now = map(_versions_by_name, versions)
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    texts: dict[str, None] = {}
    for distribution in sorted(changed):
        belongs = _membership_test(distribution, machine)
        others = [change for change in changes if not belongs(change[0])]
        if len(others) < len(changes):
            texts[_version_text(distribution, before.get(distribution), now.get(distribution))] = None
            changes = others
    return [*texts, *_file_texts(changes)]


def _file_texts(changes: Iterable[tuple[str, str]]) -> list[str]:
    """Return a text for each file, with its first change."""
    texts: dict[str, str] = {}
    for name, change in changes:
        text = display_name(name.partition(os.pathsep)[0] if name.startswith(os.sep) else name)
        texts.setdefault(name, f"{change} {text}" if change in (_NEW, _NEW_FOLDER) else f"{text} {change}")
    return list(texts.values())


def _version_text(distribution: str, before: str | None, now: str | None) -> str:
    if before is None:
        return f"{distribution} {now} was installed"
    return f"{distribution} {before} was removed" if now is None else f"{distribution} {before} -> {now}"


def _versions_by_name(distributions: Iterable[str]) -> Mapping[str, str]:
    split = (each.partition(" ")[0].partition("==") for each in distributions)
    return {name: version for name, _, version in split}


def _membership_test(distribution: str, machine: Machine) -> Callable[[str], bool]:
    """Return a test for the files of ``distribution``, by its RECORD or the name of its folder."""
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
