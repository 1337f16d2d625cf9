"""Stamps of files change with every change of a file."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sphinx_djconn.lab.file_digest import file_stamps, metadata_folders

TICK = 0.02
"""Seconds, more than a tick of a file system's clock."""


def edited_and_dated_back(path: Path) -> None:
    """Change the content, but neither the size nor the time of the last change."""
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("two")
    other.replace(path)


@pytest.mark.parametrize(
    "change",
    [
        edited_and_dated_back,
        replaced,
        lambda path: path.write_text("two"),
        lambda path: path.write_text("longer"),
        lambda path: os.truncate(path, 1),
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_name("b.py")),
        lambda path: path.with_name("b.py").write_text("two"),
    ],
    ids=["dated back", "replaced", "edited", "longer", "shorter", "deleted", "renamed", "added"],
)
def test_whatever_is_done_to_a_file_is_noticed(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = tmp_path / "folder" / "deep" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text("one")
    before = list(file_stamps(str(tmp_path)))
    time.sleep(TICK)
    assert list(file_stamps(str(tmp_path))) == before
    change(path)
    assert list(file_stamps(str(tmp_path))) != before


def test_what_a_link_leads_to_is_noticed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("one")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.py").symlink_to(outside)
    before = list(file_stamps(str(folder)))
    outside.write_text("three")
    assert list(file_stamps(str(folder))) != before


def test_what_lies_apart_and_what_no_run_depends_on_is_not_looked_at(tmp_path: Path) -> None:
    for name in ("docs/index.rst", "__pycache__/a.pyc", "db.sqlite3", ".git/HEAD"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("one")
    assert list(file_stamps(str(tmp_path), [str(tmp_path / "docs")])) == []


def test_distributions_are_told_by_the_names_of_their_folders(tmp_path: Path) -> None:
    for name in ("b-2.dist-info", "a-1.dist-info", "c.egg-info", "a"):
        (tmp_path / name).mkdir()
    assert metadata_folders(str(tmp_path)) == ["a-1.dist-info", "b-2.dist-info", "c.egg-info"]
    assert metadata_folders(str(tmp_path / "nowhere")) == []
