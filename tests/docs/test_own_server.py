"""The reference's section on servers of one's own, followed to the letter."""

from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.snippets import DOCS, snippets, write

HEADING = "Your own server\n===============\n"


@pytest.fixture
def section(tmp_path: Path) -> Path:
    """The section, in a file of its own."""
    text = DOCS.joinpath("reference.rst").read_text(encoding="utf-8")
    page = tmp_path / "section.txt"
    page.write_text(text.partition(HEADING)[2].partition("\n.. _recordings:")[0], encoding="utf-8")
    return page


def test_a_line_in_conf_py_adds_a_server_that_a_page_can_name(section: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    docs.joinpath("conf.py").write_text('extensions = ["sphinx_djconn"]\n', encoding="utf-8")
    followed = [snippet for snippet in snippets(section) if snippet.file is not None]
    assert [snippet.file for snippet in followed] == [("conf.py", True), ("index.rst", False)]
    for snippet in followed:
        write(snippet, docs)
    done = run("python -m sphinx -W -b html docs out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = tmp_path.joinpath("out/index.html").read_text(encoding="utf-8")
    assert page.count('class="djconn-verdict djconn-holds"') == 1
