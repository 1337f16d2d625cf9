"""Some pages of this project's documentation, as a documentation of their own."""

import shutil
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_CONF = """

# References to the pages that are not among these lead nowhere.
suppress_warnings += ["ref.confval", "ref.doc", "ref.ref"]
nitpicky = False
"""


def write_pages(folder: Path, names: Sequence[str]) -> None:
    """Copy the pages ``names`` into ``folder``, with conf.py, its extensions, and a page that lists them."""
    folder.mkdir(parents=True)
    shutil.copytree(DOCS / "_ext", folder / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    conf = DOCS.joinpath("conf.py").read_text(encoding="utf-8")
    folder.joinpath("conf.py").write_text(conf + _CONF, encoding="utf-8")
    for name in names:
        shutil.copy(DOCS / f"{name}.rst", folder)
    toctree = "".join(f"   {name}\n" for name in names)
    folder.joinpath("index.rst").write_text(f"Pages\n=====\n\n.. toctree::\n\n{toctree}", encoding="utf-8")
