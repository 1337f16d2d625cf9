"""Inputs: everything that a run used and that could change what it did, by names that mean the same anywhere.

A name is a path below a named root, such as ``project:polls/views.py`` or ``site-packages:django/apps.py``.
What lies below no root has its absolute path.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

ABSENT = ""
"""Stands for a file that is not there, a module that is nowhere, a variable that is not set."""


@dataclass(frozen=True)
class Inputs:
    """What one or several runs used."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Files that were read, with digests of their contents."""

    paths: Mapping[str, str] = field(default_factory=dict)
    """Paths that were looked for: ``file``, ``folder`` or :data:`ABSENT`."""

    listings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Folders whose names were listed, with the names that counted; see :func:`listing`."""

    entries: tuple[str, ...] = ()
    """Entries of ``sys.path`` that the environment does not have by itself, in order."""

    modules: Mapping[str, str] = field(default_factory=dict)
    """Modules that were looked for in ``sys.path``, and where they were found."""

    packages: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Folders of packages, with the modules that were looked for there, and the names they were found under."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of the environment, with short digests of their values; ``*`` stands for all of them."""

    trees: Mapping[str, str] = field(default_factory=dict)
    """Folders whose files all count, since nothing tells which of them were read, with digests."""

    written: tuple[str, ...] = ()
    """What the runs wrote: it is no input, whoever reads it."""

    @classmethod
    def of_json(cls, found: Any) -> Self:
        """Return the inputs that ``found`` stands for; raise ``ValueError`` if it stands for none."""
        known = {each.name for each in fields(cls)}
        if not isinstance(found, dict) or not known >= found.keys():
            raise ValueError("its inputs cannot be read")
        for name in ("files", "paths", "modules", "variables", "trees"):
            _texts_by_name(found.get(name, {}))
        for name in ("entries", "written"):
            _texts(found.get(name, []))
        listings, packages = found.get("listings", {}), found.get("packages", {})
        if not isinstance(listings, dict) or not isinstance(packages, dict):
            raise ValueError("its inputs cannot be read")  # noqa: TRY004 - what the store expects
        return cls(
            files=found.get("files", {}),
            paths=found.get("paths", {}),
            listings={name: _texts(names) for name, names in listings.items()},
            entries=_texts(found.get("entries", [])),
            modules=found.get("modules", {}),
            packages={folder: _lists_by_name(stems) for folder, stems in packages.items()},
            variables=found.get("variables", {}),
            trees=found.get("trees", {}),
            written=_texts(found.get("written", [])),
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it, in an order that does not depend on the run; what is empty is left out."""
        found: dict[str, Any] = {}
        for each in fields(self):
            content = getattr(self, each.name)
            if content and isinstance(content, Mapping):
                found[each.name] = {
                    name: dict(sorted(inner.items())) if isinstance(inner, Mapping) else inner
                    for name, inner in sorted(content.items())
                }
            elif content:
                found[each.name] = list(content)
        return found


def listing(what: str, folder: str) -> str:
    """Return the key of a listing of ``folder``; ``what`` says of which names."""
    return f"{what}\t{folder}"


def split_listing(key: str) -> tuple[str, str]:
    """Return ``what`` and ``folder`` of the key of a listing."""
    what, _, folder = key.partition("\t")
    return what, folder


def below(folder: str, name: str) -> str:
    """Return the name of what ``folder`` has under ``name``."""
    return f"{folder}{'' if folder.endswith(':') else '/'}{name}"


def union(several: Iterable[Inputs]) -> Inputs:
    """Return what all of ``several`` used; what one of them wrote is an input of none."""
    several = list(several)
    if len(several) == 1:
        return several[0]
    merged: dict[str, Any] = {each.name: {} for each in fields(Inputs)}
    for inputs in several:
        for name in ("files", "paths", "listings", "modules", "variables", "trees"):
            merged[name].update(getattr(inputs, name))
        for name in ("entries", "written"):
            merged[name].update(dict.fromkeys(getattr(inputs, name)))
        for folder, stems in inputs.packages.items():
            merged["packages"].setdefault(folder, {}).update(stems)
    written = merged["written"]
    for name in ("files", "paths"):
        merged[name] = {path: state for path, state in merged[name].items() if path not in written}
    merged["entries"], merged["written"] = tuple(merged["entries"]), tuple(sorted(written))
    return Inputs(**merged)


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError("its inputs cannot be read")
    return tuple(found)


def _texts_by_name(found: Any) -> None:
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError("its inputs cannot be read")


def _lists_by_name(found: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(found, dict):
        raise ValueError("its inputs cannot be read")  # noqa: TRY004 - as above
    return {name: _texts(names) for name, names in found.items()}
