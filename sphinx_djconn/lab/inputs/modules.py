"""Where modules are imported from, found as Python does, and without importing anything."""

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
    """Return the entries of ``PYTHONPATH``, which processes of the environment that builds the docs inherit."""
    if environment is None or not environment.is_current:
        return []
    return [os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]  # noqa: PTH100


def own_path(environment: Environment) -> list[str]:
    """Return the entries of ``sys.path`` that a process of ``environment`` has by itself, but Python's own.

    These are the entries of ``PYTHONPATH``, and the folders that distributions are installed in, each with what
    its ``.pth`` files add.
    """
    found = python_path(environment)
    for folder in environment.folders:
        if os.path.basename(folder) in _PACKAGES:  # noqa: PTH119 - as texts
            found += [folder, *_added(folder)]
    return list(dict.fromkeys(found))


def matching(files: Files, folder: str, stem: str) -> tuple[str, ...]:
    """Return the names in ``folder`` that could be the module ``stem``."""
    return tuple(
        name
        for name in files.names(folder).get(stem, ())
        if (name.endswith(_SUFFIXES) if name != stem else files.kind(os.path.join(folder, name)) == FOLDER)  # noqa: PTH118
    )


def find(files: Files, stem: str, path: Sequence[str], *, current: bool) -> str:
    """Return where the module ``stem`` is found on ``path``: a file, or a package's folder.

    Where only folders without ``__init__`` have its name, these are a package together. ``current`` asks those
    finders, too, that editable installations have put into the process that builds the docs.
    """
    parts = []
    for folder in path:
        names = matching(files, folder, stem)
        for name in names:
            found = os.path.join(folder, name)  # noqa: PTH118 - there are many
            if name != stem or _is_package(files, found):
                return found
            parts.append(found)
    if parts:
        return os.pathsep.join(parts)
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


def _added(folder: str) -> Iterable[str]:
    """Yield what the ``.pth`` files in ``folder`` add to the path."""
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names are all that is wanted
            if not name.endswith(".pth"):
                continue
            with suppress(OSError):
                for line in Path(folder, name).read_text("utf-8", "replace").splitlines():
                    entry = line.strip()
                    if entry and not entry.startswith(("#", "import ", "import\t")):
                        yield os.path.normpath(os.path.join(folder, entry))  # noqa: PTH118
