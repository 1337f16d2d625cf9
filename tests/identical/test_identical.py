"""Builds of the same behaviour give the same pages, to the byte."""

import difflib
import hashlib
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BUILDS = 10
WHOLE = 3
"""How many of the builds run everything; the others run what starts fast: this Django's development server."""

CHOOSES = ("gunicorn-", "uwsgi", "mod_wsgi", "waitress", "cheroot", "granian-wsgi", "hypercorn-wsgi")
"""Servers of several executors: which of them is given a request, the kernel or a queue decides by luck."""

ENDED = "database: "
"""Steps after which it is luck whether a client still reads why its session was ended."""


def pages(folder: Path, number: int) -> dict[str, str]:
    """Build the documentation from scratch; return a digest of each file that it has become.

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
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-d", doctrees, DOCS, out],
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


def test_ten_builds_of_the_docs_from_scratch_are_byte_for_byte_the_same(tmp_path):
    first = pages(tmp_path, 0)
    assert "persistent-connections.html" in first
    for number in range(1, BUILDS):
        again = pages(tmp_path, number)
        other = [name for name in sorted(first) if again.get(name) != first[name]]
        assert not other, "\n".join(
            difference(tmp_path / "out0" / other[0], tmp_path / f"out{number}" / other[0])
        )
        assert again.keys() == first.keys()
