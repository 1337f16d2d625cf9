"""Builds of the same behaviour give the same pages, to the byte."""

import difflib
import hashlib
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from few_pages import DOCS, write_pages

BUILDS = 5
WHOLE = 2
"""How many of the builds run everything; the others run what starts fast: this Django's development server."""

CHOOSES = ("gunicorn-", "uwsgi", "mod_wsgi", "waitress", "cheroot", "granian-wsgi", "hypercorn-wsgi")
"""Servers of several executors: which of them is given a request, the kernel or a queue decides by luck."""

ENDED = "database: "
"""Steps after which it is luck whether a client still reads why its session was ended."""


def pages(docs: Path, folder: Path, number: int) -> dict[str, str]:
    """Build ``docs`` from scratch; return a digest of each file that they have become.

    What is a matter of luck is taken from the first build, what takes long in most builds, too.
    """
    out, doctrees = folder / f"out{number}", folder / f"doctrees{number}"
    recordings = Path("djconn", "recordings")
    if number:
        doctrees.joinpath(recordings).mkdir(parents=True)
        for recording in folder.joinpath("doctrees0", recordings).iterdir():
            with recording.open(encoding="utf-8") as lines:
                scenario = json.loads(next(lines))["scenario"]
                settings = json.loads(next(lines))["settings"]
            fast = settings["Server"].startswith("runserver") and settings["Django"] == version("django")
            slow = number >= WHOLE and not fast
            if settings["Server"].startswith(CHOOSES) or slow or ENDED in scenario:
                shutil.copy(recording, doctrees / recordings)
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-d", doctrees, docs, out],
        check=True,
        timeout=600,
    )
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def difference(one: Path, other: Path) -> list[str]:
    """Return what is different in the lines of two files."""
    lines = (path.read_text("utf-8", "replace").splitlines() for path in (one, other))
    return [line[:400] for line in difflib.unified_diff(*lines, str(one), str(other), n=1, lineterm="")]


def check_builds(docs: Path, folder: Path, builds: int) -> dict[str, str]:
    """Build ``docs`` so many times and compare; return what :func:`pages` does."""
    first = pages(docs, folder, 0)
    for number in range(1, builds):
        again = pages(docs, folder, number)
        other = [name for name in sorted(first) if again.get(name) != first[name]]
        assert not other, "\n".join(difference(folder / "out0" / other[0], folder / f"out{number}" / other[0]))
        assert again.keys() == first.keys()
    return first


def test_builds_of_some_pages_from_scratch_are_byte_for_byte_the_same(tmp_path: Path) -> None:
    write_pages(tmp_path / "docs", ("how-it-works", "reviewing"))
    assert "reviewing.html" in check_builds(tmp_path / "docs", tmp_path, WHOLE)


@pytest.mark.exhaustive
def test_builds_of_all_pages_from_scratch_are_byte_for_byte_the_same(tmp_path: Path) -> None:
    assert "persistent-connections.html" in check_builds(DOCS, tmp_path, BUILDS)
