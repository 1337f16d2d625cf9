"""The inputs of runs: everything that a run used and that could change its result.

Paths have names that mean the same on other machines: a named root and a path below it, such as
``project:polls/views.py`` or ``site-packages:django/apps.py``. A path below no root is absolute.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

_INVALID = "its inputs cannot be read"

ABSENT = ""
"""The state of a file or module that does not exist, and of a variable that is not set."""


@dataclass(frozen=True)
class Inputs:
    """What one or several runs used."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Files that were read, with digests of their content."""

    paths: Mapping[str, str] = field(default_factory=dict)
    """Paths whose existence was checked: ``file``, ``folder`` or :data:`ABSENT`."""

    listings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Folders that were listed, with the names that count; the keys are those of :func:`listing`."""

    entries: tuple[str, ...] = ()
    """Entries of ``sys.path`` that the environment does not have by itself, in order."""

    modules: Mapping[str, str] = field(default_factory=dict)
    """Modules that were looked up in ``sys.path``, and where they were found."""

    packages: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Folders of packages, with the modules that were looked up there, and the files found for each."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables, with short digests of their values. ``*`` stands for all of them."""

    trees: Mapping[str, str] = field(default_factory=dict)
    """Folders, with digests of all their files, if it is unknown which of them were read."""

    written: tuple[str, ...] = ()
    """What the runs wrote. It is no input, even if it was read."""

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Return the inputs in ``data``, a result of :meth:`to_json`. Raises ``ValueError`` if it is none."""
        names = {each.name for each in fields(cls)}
        if not isinstance(data, dict) or not names >= data.keys():
            raise ValueError(_INVALID)
        for name in ("files", "paths", "modules", "variables", "trees"):
            _check_mapping(data.get(name, {}))
        for name in ("entries", "written"):
            _parse_texts(data.get(name, []))
        listings, packages = data.get("listings", {}), data.get("packages", {})
        if not isinstance(listings, dict) or not isinstance(packages, dict):
            raise ValueError(_INVALID)  # noqa: TRY004 - callers expect it
        return cls(
            files=data.get("files", {}),
            paths=data.get("paths", {}),
            listings={name: _parse_texts(names) for name, names in listings.items()},
            entries=_parse_texts(data.get("entries", [])),
            modules=data.get("modules", {}),
            packages={folder: _parse_lists(stems) for folder, stems in packages.items()},
            variables=data.get("variables", {}),
            trees=data.get("trees", {}),
            written=_parse_texts(data.get("written", [])),
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object, sorted, so that it does not depend on the run. Empty fields are left out."""
        data: dict[str, Any] = {}
        for each in fields(self):
            content = getattr(self, each.name)
            if content and isinstance(content, Mapping):
                data[each.name] = {
                    name: dict(sorted(inner.items())) if isinstance(inner, Mapping) else inner
                    for name, inner in sorted(content.items())
                }
            elif content:
                data[each.name] = list(content)
        return data


def listing(what: str, folder: str) -> str:
    """Return the key of a listing of ``folder``. ``what`` says which names count."""
    return f"{what}\t{folder}"


def split_listing(key: str) -> tuple[str, str]:
    """Return ``what`` and ``folder`` of the key of a listing."""
    what, _, folder = key.partition("\t")
    return what, folder


def join(folder: str, name: str) -> str:
    """Return the name of the entry ``name`` of ``folder``."""
    return f"{folder}{'' if folder.endswith(':') else '/'}{name}"


def merge(parts: Iterable[Inputs]) -> Inputs:
    """Return the inputs of all ``parts``, without what one of them wrote."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    merged: dict[str, Any] = {each.name: {} for each in fields(Inputs)}
    for inputs in parts:
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


def _parse_texts(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise ValueError(_INVALID)
    return tuple(data)


def _check_mapping(data: Any) -> None:
    if not isinstance(data, dict) or not all(isinstance(each, str) for each in data.values()):
        raise ValueError(_INVALID)


def _parse_lists(data: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(data, dict):
        raise ValueError(_INVALID)  # noqa: TRY004 - as above
    return {name: _parse_texts(names) for name, names in data.items()}
