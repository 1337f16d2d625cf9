"""Characters that pdfLaTeX cannot set: it aborts if a font lacks one that a server or a response contains."""

from collections.abc import Iterable
from typing import Final

from docutils import nodes

_LATIN_1: Final = range(0xA0, 0x100)
_DECLARED: Final = frozenset("–—‘’“”…†‡•€™├─│└")  # noqa: RUF001 - declared by LaTeX, or by Sphinx
"""Characters beyond Latin-1 that the packages which Sphinx loads can set."""


def escape_for_pdflatex(roots: Iterable[nodes.Node]) -> None:
    """Replace, in all texts below ``roots``, what pdfLaTeX cannot set: ``\\u4f60``, as in a Python string."""
    for root in roots:
        for text in list(root.findall(nodes.Text)):
            escaped = "".join(map(_escaped, text))
            if escaped != text and isinstance(text.parent, nodes.Element):
                parent = text.parent
                if parent.rawsource == text.astext():  # else Sphinx would not highlight it
                    parent.rawsource = escaped
                parent.replace(text, nodes.Text(escaped))


def _escaped(character: str) -> str:
    if character.isascii() or ord(character) in _LATIN_1 or character in _DECLARED:
        return character
    return character.encode("unicode_escape").decode("ascii")
