"""What servers and responses say, for pdfLaTeX, which ends at a character that it has no font for."""

from collections.abc import Iterable
from typing import Final

from docutils import nodes

_LATIN_1: Final = range(0xA0, 0x100)
_OTHERS: Final = frozenset("–—‘’“”…†‡•€™├─│└")  # noqa: RUF001 - declared by LaTeX, or by Sphinx
"""Characters beyond Latin-1 that can be set with the packages that Sphinx loads."""


def spell(found: Iterable[nodes.Node]) -> None:
    """Spell, in all texts within ``found``, what pdfLaTeX cannot set: ``\\u4f60``, as in a Python string."""
    for node in found:
        for text in list(node.findall(nodes.Text)):
            spelled = "".join(map(_spelled, text))
            if spelled != text and isinstance(text.parent, nodes.Element):
                parent = text.parent
                if parent.rawsource == text.astext():  # or Sphinx would not highlight it
                    parent.rawsource = spelled
                parent.replace(text, nodes.Text(spelled))


def _spelled(character: str) -> str:
    if character.isascii() or ord(character) in _LATIN_1 or character in _OTHERS:
        return character
    return character.encode("unicode_escape").decode("ascii")
