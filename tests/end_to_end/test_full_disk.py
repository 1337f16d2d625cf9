"""A disk that is full, or that cannot be written to, while something is recorded."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.building import Docs

KIBIBYTE = 1 << 10
SIZE = 80
"""The size of the file system in KiB: enough for two short recordings."""

TWO = """
    Two
    ===

    .. djconn:scenario:: long

       200 x browser: GET /

    .. djconn:scenario:: short

       browser: GET / as only

    .. djconn:claim:: holds
       :in: short
       :expect: only.status == 200

       A sentence that holds.
"""


@pytest.fixture
def small_disk(short_folder: Path) -> Iterator[Path]:
    """A file system of :data:`SIZE`; the path is short enough for the folder of a run."""
    folder = short_folder / "small"
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system takes more rights than these tests have")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write to a file until there is no room for another page."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4 * KIBIBYTE))


def test_a_recording_for_which_there_is_no_room_is_told_and_the_others_are_kept(
    docs: Docs, small_disk: Path
) -> None:
    docs.configure(djconn_project=docs.project(), djconn_recordings=str(small_disk))
    docs.page("index", TWO)
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: long"), kind="djconn.run")
    assert "the recording could not be kept: No space left on device; see that its folder" in warning.text
    assert "(`djconn_recordings`, else the doctrees) has room and can be written" in warning.text
    assert [path.suffix for path in small_disk.iterdir()] == [".json"]
    page = built.read("index.html")
    assert "The scenario long has no evidence: the recording could not be kept" in page
    assert str(small_disk) not in page
    assert "djconn-holds" in page
    assert docs.build().ran == ["long"]


@pytest.mark.exhaustive
def test_an_earlier_recording_is_unharmed_where_there_is_no_room_for_a_later_one(
    docs: Docs, small_disk: Path
) -> None:
    docs.configure(djconn_project=docs.project(), djconn_recordings=str(small_disk))
    docs.page("index", TWO.replace("200 x", "2 x"))
    docs.build()
    kept = {path: path.read_bytes() for path in small_disk.iterdir()}
    assert len(kept) == 2
    filling = small_disk / "filling"
    with pytest.raises(OSError, match="No space left"):
        fill(filling)
    docs.configure(djconn_project=docs.project(), djconn_recordings=str(small_disk), djconn_mode="run")
    failed = docs.build()
    assert [each.kind for each in failed.warnings].count("djconn.run") == 2
    filling.unlink()
    assert {path: path.read_bytes() for path in small_disk.iterdir()} == kept
    docs.configure(djconn_project=docs.project(), djconn_recordings=str(small_disk))
    assert docs.build().ran == []


@pytest.mark.exhaustive
def test_a_file_where_the_folder_of_recordings_should_be_is_told(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project(), djconn_recordings="index.rst")
    docs.page("index", TWO)
    built = docs.build()
    for name in ("long", "short"):
        warning = built.warning("index.rst", docs.line(f":: {name}"), kind="djconn.run")
        assert "the recording could not be kept: " in warning.text


@pytest.mark.exhaustive
def test_a_full_folder_for_temporary_files_is_told_and_the_rest_is_built(
    docs: Docs, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", TWO)
    docs.page("other", "Other\n=====\n\nText.\n")
    docs.build()
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    small_disk.joinpath("filling").write_bytes(bytes(SIZE * KIBIBYTE))
    docs.page("index", TWO.replace("200 x", "100 x"))
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: long"), kind="djconn.run")
    assert "the run could not go on: No space left on device; see that the system's folder" in warning.text
    assert "(TMPDIR) has room and can be written" in warning.text
    assert [path.name for path in small_disk.iterdir()] == ["filling"]
    assert built.code == 0
    assert "djconn-holds" in built.read("index.html")


def test_a_full_disk_while_databases_are_kept_is_told(docs: Docs, small_disk: Path) -> None:
    databases = docs.doctrees / "djconn" / "databases"
    databases.unlink()
    databases.symlink_to(small_disk)
    small_disk.joinpath("filling").write_bytes(bytes((SIZE - 4) * KIBIBYTE))
    settings = 'INSTALLED_APPS = ["django.contrib.contenttypes"]'
    docs.configure(djconn_project=docs.project(settings=settings))
    docs.page("index", TWO)
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: long"), kind="djconn.run")
    assert "the project's databases could not be kept: No space left on device; make room" in warning.text
    assert [path.name for path in small_disk.iterdir()] == ["filling"]
    assert built.code == 0


@pytest.mark.exhaustive
def test_a_folder_for_temporary_files_with_a_long_name_is_no_obstacle(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = docs.temporary / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    docs.configure(djconn_project=docs.project())
    docs.page("index", TWO)
    assert [each.text for each in docs.build().warnings] == []
    deep.rmdir()
