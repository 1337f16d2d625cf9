"""The installed distributions of an environment, read from its folders: nothing is executed.

This is ``pip freeze`` for environments without pip, and for any Python.
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
    """The distributions of an environment, sorted, for example ``django==4.2.30``.

    One that is imported from its own folder, as after ``pip install -e``, has a digest of that folder's files
    appended. ``changed`` is a digest of all files if they were changed since the environment was created.
    """

    python: str
    distributions: tuple[str, ...]
    changed: str = ""

    @property
    def digest(self) -> str:
        """A digest of all of it: it differs whenever a recording could differ."""
        return digest([self.python, list(self.distributions), self.changed])

    def version(self, name: str) -> str:
        """Return the version of the distribution ``name``, or an empty string if it is not installed."""
        for distribution in self.distributions:
            installed_name, _, version = distribution.partition("==")
            if installed_name == canonical(name):
                return version.partition(" ")[0]
        return ""


def canonical(name: str) -> str:
    """Return the normalized name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_packages(
    python: str, folders: Iterable[Path], stamp: str = "", *, checkouts: bool = True
) -> InstalledPackages:
    """Return the packages in ``folders``, for ``python``, the version of a Python.

    ``stamp`` is the result of :func:`folders_stamp` when the environment was created; empty if we did not
    create it. ``checkouts`` is as for :func:`freeze`.
    """
    folders = list(folders)
    changed = ""
    if stamp and folders_stamp(folders) != stamp:
        changed = digest([tree_digest(each) for each in folders])
    return InstalledPackages(python, freeze(folders, checkouts=checkouts), changed)


def freeze(folders: Iterable[Path], *, checkouts: bool = True) -> tuple[str, ...]:
    """Return the distributions in ``folders``. If a name occurs twice, the first one counts, as for Python.

    If ``checkouts`` is true, those that are imported from their own folder have a digest of its files.
    """
    distributions: dict[str, str] = {}
    for folder in folders:
        for metadata in metadata_folders(str(folder)):
            stem, _, kind = metadata.rpartition(".")
            name, _, version = stem.partition("-")
            if kind == "egg-info":
                version = re.sub(r"-py\d(\.\d+)?.*$", "", version) or _egg_version(folder / metadata)
            origin = _origin(folder / metadata) if checkouts else ""
            distributions.setdefault(canonical(name), f"{canonical(name)}=={version}{origin}")
    return tuple(sorted(distributions.values()))


def folders_stamp(folders: Iterable[Path]) -> str:
    """Return a digest of the names, sizes and times of all files in ``folders``, except compiled ones."""
    lines: list[str] = []
    for folder in folders:
        _append_status(str(folder), len(str(folder)), lines)
    return digest(lines)


def _egg_version(path: Path) -> str:
    """Return the version of an ``.egg-info`` whose name has none, as in development installs."""
    try:
        text = (path / "PKG-INFO").read_text("utf-8", "replace")
    except OSError:
        return ""
    match = re.search(r"^Version: (\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def _origin(metadata: Path) -> str:
    """Return the commit or the digest of a distribution that was installed from a URL or a folder (PEP 610)."""
    try:
        origin = json.loads((metadata / "direct_url.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    url = urlsplit(str(origin.get("url", "")))
    if url.scheme != "file" or not origin.get("dir_info", {}).get("editable"):
        commit = origin.get("vcs_info", {}).get("commit_id", "")
        return f" @ {commit}" if commit else ""
    return f" @ {_checkout_digest(Path(unquote(url.path)))}"


def _checkout_digest(folder: Path) -> str:
    """Return a digest of the files of a checkout. Of a checkout of Django, only the package counts."""
    django = folder / "django"
    return tree_digest(django if (django / "__init__.py").is_file() else folder)


def _append_status(folder: str, prefix_length: int, lines: list[str]) -> None:
    """Append a line for each file below ``folder``, sorted. ``os.scandir`` is fast enough for thousands."""
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for child in children:
        if child.is_dir(follow_symlinks=False):
            if child.name != "__pycache__":
                _append_status(child.path, prefix_length, lines)
        else:
            with suppress(OSError):
                status = child.stat()
                lines.append(f"{child.path[prefix_length:]}\0{status.st_size}\0{status.st_mtime_ns}")
