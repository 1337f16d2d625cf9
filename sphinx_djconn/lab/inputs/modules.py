"""Find where modules are imported from, as Python does, but without importing anything."""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx_djconn.inputs import ABSENT
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.inputs.files import FILE, FOLDER, Files

_SUFFIXES: Final = (".py", ".so", ".pyc", ".pyd")
_PACKAGES: Final = ("site-packages", "dist-packages")


def python_path(environment: Environment | None) -> list[str]:
    """Return the entries of ``PYTHONPATH``, which only the current environment inherits."""
    if environment is None or not environment.is_current:
        return []
    return [os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]  # noqa: PTH100


def own_path(environment: Environment) -> list[str]:
    """Return the entries of ``sys.path`` in ``environment`` by default, without the standard library's.

    These are the entries of ``PYTHONPATH``, and the folders with distributions, each followed by what its
    ``.pth`` files add.
    """
    entries = python_path(environment)
    for folder in environment.folders:
        if os.path.basename(folder) in _PACKAGES:  # noqa: PTH119 - as texts
            entries += [folder, *_pth_entries(folder)]
    return list(dict.fromkeys(entries))


def matching(files: Files, folder: str, stem: str) -> tuple[str, ...]:
    """Return the names in ``folder`` that could be the module ``stem``."""
    return tuple(
        name
        for name in files.names(folder).get(stem, ())
        if (name.endswith(_SUFFIXES) if name != stem else files.kind(os.path.join(folder, name)) == FOLDER)  # noqa: PTH118
    )


def find(files: Files, stem: str, path: Sequence[str], *, current: bool) -> str:
    """Return where the module ``stem`` is found on ``path``: a file, or a package's folder.

    If only folders without ``__init__`` have its name, these are a namespace package, and all are returned,
    with separators. If ``current`` is true, the finders of editable installations are used, too: this process
    has those of the current environment.
    """
    namespace = []
    for folder in path:
        names = matching(files, folder, stem)
        for name in names:
            candidate = os.path.join(folder, name)  # noqa: PTH118 - there are many
            if name != stem or _is_package(files, candidate):
                return candidate
            namespace.append(candidate)
    if namespace:
        return os.pathsep.join(namespace)
    return _by_editable_finder(stem) if current else ABSENT


def _is_package(files: Files, folder: str) -> bool:
    return files.kind(os.path.join(folder, "__init__.py")) == FILE or bool(  # noqa: PTH118
        matching(files, folder, "__init__")
    )


def _by_editable_finder(stem: str) -> str:
    for finder in sys.meta_path:
        if str(getattr(finder, "__module__", "")).startswith("__editable__"):
            with suppress(Exception):
                spec = finder.find_spec(stem, None, None)
                if spec is not None:
                    return str(spec.origin or next(iter(spec.submodule_search_locations or ()), ABSENT))
    return ABSENT


def _pth_entries(folder: str) -> Iterable[str]:
    """Yield the entries that the ``.pth`` files in ``folder`` add to ``sys.path``."""
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - only names are needed
            if not name.endswith(".pth"):
                continue
            with suppress(OSError):
                for line in Path(folder, name).read_text("utf-8", "replace").splitlines():
                    entry = line.strip()
                    if entry and not entry.startswith(("#", "import ", "import\t")):
                        yield os.path.normpath(os.path.join(folder, entry))  # noqa: PTH118
