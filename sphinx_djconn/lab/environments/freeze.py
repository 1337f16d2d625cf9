"""What is installed in an environment, read from the folders it imports from: nothing of it runs.

``pip freeze`` without pip, which not every environment has, and for any Python.
"""

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx_djconn.hashing import digest
from sphinx_djconn.lab.file_digest import metadata_folders, tree_digest


@dataclass(frozen=True)
class InstalledPackages:
    """The distributions of an environment, sorted texts such as ``django==4.2.30``.

    One that is imported from a folder, as after ``pip install -e``, has a digest of that folder's files with
    it. Where files were changed by hand since the environment was made, ``changed`` is a digest of them now.
    """

    python: str
    distributions: tuple[str, ...]
    changed: str = ""

    @property
    def digest(self) -> str:
        """A name for all of it: another one where a recording could be another."""
        return digest([self.python, list(self.distributions), self.changed])

    def version(self, name: str) -> str:
        """Return the version of the distribution ``name``, empty where there is none."""
        for each in self.distributions:
            found, _, version = each.partition("==")
            if found == canonical(name):
                return version.partition(" ")[0]
        return ""


def canonical(name: str) -> str:
    """Return a distribution's name as the packaging standards write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def freeze(folders: Iterable[Path], *, checkouts: bool = True) -> tuple[str, ...]:
    """Return the distributions that are imported from ``folders``, a name's first one only, as Python does.

    Without ``checkouts``, their names and versions are enough, which the names of folders tell.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for metadata in metadata_folders(str(folder)):
            stem, _, kind = metadata.rpartition(".")
            name, _, rest = stem.partition("-")
            if kind == "egg-info":
                rest = re.sub(r"-py\d(\.\d+)?.*$", "", rest) or _version(folder / metadata)
            more = _editable(folder / metadata) if checkouts else ""
            found.setdefault(canonical(name), f"{canonical(name)}=={rest}{more}")
    return tuple(sorted(found.values()))


def stamp(folders: Iterable[Path]) -> str:
    """Return a digest of the files' names, sizes and times: another one once any of them was written.

    Compiled files do not count: each first import writes some.
    """
    found: list[str] = []
    for folder in folders:
        _status(str(folder), len(str(folder)), found)
    return digest(found)


def now(
    python: str, folders: Iterable[Path], stamped: str = "", *, checkouts: bool = True
) -> InstalledPackages:
    """Return the contents of ``folders`` for the Python ``python``, a version.

    ``stamped`` is what :func:`stamp` said when the environment was made; nothing where it is not ours.
    ``checkouts`` asks for what is in those that are imported from their own folders, too.
    """
    folders = list(folders)
    changed = ""
    if stamped and stamp(folders) != stamped:
        changed = digest([tree_digest(each) for each in folders])
    return InstalledPackages(python, freeze(folders, checkouts=checkouts), changed)


def _version(path: Path) -> str:
    """Return the version in an ``.egg-info`` whose name has none, as those of development installs."""
    try:
        text = (path / "PKG-INFO").read_text("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(r"^Version: (\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def _editable(metadata: Path) -> str:
    """Return what to say of a distribution that is imported from its own folder (PEP 610)."""
    try:
        origin = json.loads((metadata / "direct_url.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    url = urlsplit(str(origin.get("url", "")))
    if url.scheme != "file" or not origin.get("dir_info", {}).get("editable"):
        commit = origin.get("vcs_info", {}).get("commit_id", "")
        return f" @ {commit}" if commit else ""
    return f" @ {_imported(Path(unquote(url.path)))}"


def _imported(folder: Path) -> str:
    """Return a digest of what a checkout can change: of Django's, the package and not its tests."""
    django = folder / "django"
    return tree_digest(django if (django / "__init__.py").is_file() else folder)


def _status(folder: str, skipped: int, found: list[str]) -> None:
    """Add a line for each file below ``folder`` to ``found``, in an order that does not depend on the disk.

    There are thousands of files, which each build looks at.
    """
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda each: each.name)
    except OSError:
        return
    for each in inside:
        if each.is_dir(follow_symlinks=False):
            if each.name != "__pycache__":
                _status(each.path, skipped, found)
        else:
            with suppress(OSError):
                status = each.stat()
                found.append(f"{each.path[skipped:]}\0{status.st_size}\0{status.st_mtime_ns}")
