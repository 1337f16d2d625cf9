"""Builds of the same behaviour give the same pages, to the byte."""

import hashlib
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BUILDS = 10


def pages(folder: Path, number: int) -> dict[str, str]:
    """Build the documentation from scratch; return a digest of each file that it has become."""
    out, doctrees = folder / f"out{number}", folder / f"doctrees{number}"
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-d", doctrees, DOCS, out],
        check=True,
        timeout=300,
    )
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_ten_builds_of_the_docs_from_scratch_are_byte_for_byte_the_same(tmp_path):
    first = pages(tmp_path, 0)
    assert "persistent-connections.html" in first
    for number in range(1, BUILDS):
        again = pages(tmp_path, number)
        assert again == first, [name for name in first if again.get(name) != first[name]]
