"""Reads nodes as text: the cells of tables, the lines of blocks, and built pages."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from sphinx_djconn.evidence.details_node import DETAILS_VISITORS, djconn_details
from sphinx_djconn.evidence.log_lexer import LOG_LANGUAGE, LogLexer


def rows(shown: Sequence[nodes.Node]) -> list[list[str]]:
    """Return the texts of the cells of the first table in ``shown``, its head first."""
    table = next(table for node in shown for table in node.findall(nodes.table))
    return [[entry.astext() for entry in row] for row in table.findall(nodes.row)]


def lines(shown: Sequence[nodes.Node]) -> list[str]:
    """Return the lines of the first literal block in ``shown``."""
    block = next(block for node in shown for block in node.findall(nodes.literal_block))
    return block.astext().splitlines()


def titles(shown: Sequence[nodes.Node]) -> list[str]:
    """Return the titles of the details among ``shown``."""
    return [node.children[0].astext() for node in shown if isinstance(node, djconn_details)]


def build(folder: Path, builder: str, shown: Sequence[nodes.Node]) -> str:
    """Return the page that ``builder`` makes of ``shown``, which must cause no warning."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    source.joinpath("index.rst").write_text("Evidence\n========\n\nBefore.\n", encoding="utf-8")
    out, warnings = folder / builder, StringIO()
    settings = {
        "project": "Evidence",
        "version": "1",
        "copyright": "2024, the authors",
        "man_pages": [("index", "index", "evidence", [], 1)],
        "latex_documents": [("index", "index.tex", "Evidence", "the authors", "howto")],
        "texinfo_documents": [("index", "index", "Evidence", "the authors", "index", "", "")],
    }
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            source,
            None,
            out,
            folder / "doctrees",
            builder,
            confoverrides=settings,
            status=None,
            warning=warnings,
            freshenv=True,
        )
        app.add_node(djconn_details, **DETAILS_VISITORS)
        app.add_lexer(LOG_LANGUAGE, LogLexer)
        app.connect("doctree-resolved", lambda _, doctree, __: _add(doctree, shown))
        app.build()
    assert not warnings.getvalue()
    page = next(path for path in sorted(out.iterdir()) if path.stem == "index" and path.is_file())
    return page.read_text(encoding="utf-8")


def _add(doctree: nodes.document, shown: Sequence[nodes.Node]) -> None:
    section = next(iter(doctree.findall(nodes.section)))
    section += [node.deepcopy() for node in shown]
