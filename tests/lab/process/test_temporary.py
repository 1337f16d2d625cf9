"""Temporary folders: locked as long as their build lives, removed by the next one."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.lab.process.inside.supervisor import remove_tree
from sphinx_djconn.lab.process.temporary import (
    CLUSTER,
    RUN,
    TemporaryFolder,
    candidates,
    end_processes_of,
    sweep,
)

LEAVE = """
import os, sys, tempfile
from pathlib import Path
from sphinx_djconn.lab.process.temporary import RUN, TemporaryFolder
folder = TemporaryFolder(Path(tempfile.gettempdir()), RUN)
folder.make()
print(folder.path, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, short_folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=short_folder) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def left_by_a_killed_process(place: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-c", LEAVE],
        env={**os.environ, "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9
    return Path(done.stdout.strip())


def test_what_a_killed_build_has_left_is_removed_at_once(place: Path) -> None:
    left = left_by_a_killed_process(place)
    left.joinpath("log").write_text("text")
    assert left.parent == place
    sweep()
    assert not left.exists()


def test_what_a_build_that_lives_holds_stays_and_so_does_what_is_not_ours(place: Path) -> None:
    held = TemporaryFolder(place, CLUSTER)
    held.make()
    others = [place / "djconn-mine", place / "djconn-run-of-mine", place / "other"]
    for other in others:
        other.mkdir()
    link = place / f"{RUN}00000000"
    link.symlink_to(others[-1])
    sweep()
    assert held.path.exists()
    assert all(other.exists() for other in others)
    assert link.is_symlink()
    held.remove()
    assert not held.path.exists()


def test_a_folder_whose_contents_the_project_has_removed_is_held_still(place: Path) -> None:
    held = TemporaryFolder(place, RUN)
    held.make()
    sweep()
    assert held.path.exists()
    held.remove()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="processes are found on Linux")
def test_processes_that_still_use_it_end_with_it(place: Path) -> None:
    left = left_by_a_killed_process(place)
    log = left.joinpath("log").open("w")
    by_output = subprocess.Popen(["sleep", "60"], stdout=log, start_new_session=True)
    by_variable = subprocess.Popen(["sleep", "60"], env={"TMPDIR": f"{left}/x"}, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={"TMPDIR": f"{left}x"}, start_new_session=True)
    log.close()
    sweep()
    assert [by_output.wait(5), by_variable.wait(5)] == [-9, -9]
    assert psutil.Process(other.pid).is_running()
    other.kill()
    other.wait()


def test_no_process_of_another_folder_ends(place: Path) -> None:
    other = subprocess.Popen(["sleep", "60"], env={"TMPDIR": str(place / "other")})
    end_processes_of(place / "some", seconds=0.1)
    assert other.poll() is None
    other.kill()
    other.wait()


@pytest.mark.parametrize("name", ["a:b", "a,b", "a b"])
def test_a_folder_whose_name_would_be_misread_gives_way_to_another(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = place / name
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert folder not in candidates()
    assert Path("/tmp") in candidates()


def test_a_folder_of_any_depth_and_with_any_permissions_is_removed(place: Path) -> None:
    folder = place / "folder"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("x" * 8, dir_fd=here)
        below = os.open("x" * 8, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    closed = folder / "closed"
    closed.mkdir()
    closed.joinpath("file").write_text("text")
    closed.chmod(0)
    remove_tree(str(folder))
    assert not folder.exists()
