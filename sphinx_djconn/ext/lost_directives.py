"""Finds directives and roles of ours that became a comment, code or plain text because of a typing mistake.

``.. djconn:claim: c``, with one colon, is a comment for docutils: without this, the claim would silently not be
checked. docutils itself reports a directive with an unknown name.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from docutils import nodes

_NAMES: Final = ("scenario", "matrix", "claim", "since", "claims")
_ROLES: Final = ("fact", "scenario", "claim")
_WITHOUT_DOMAIN: Final = re.compile(rf"(?:{'|'.join(_NAMES)})\s*:", re.IGNORECASE)
"""A directive without the domain. It counts only if it has an option of :data:`_OPTION`."""

_OPTION: Final = re.compile(r"^\s*:(?:in|expect|sometimes|releases|conn-max-age|verdict):", re.MULTILINE)
_FIRST_WORD: Final = re.compile(r"[^\w:{]*\{?\s*:?(?P<word>\w[\w. -]*?)\s*(?P<mark>[:}]|\s|$)")
_DIRECTIVE: Final = re.compile(r"(?:\.{1,3}\s?|:{3,}\s*)?\{?djconn\s?:{1,2}\s?\w+\s?(?::|\})", re.IGNORECASE)
_ROLE: Final = re.compile(
    rf":djconn\s?:\s?(?:{'|'.join(_ROLES)}):|\{{djconn:(?:{'|'.join(_ROLES)})\}}", re.IGNORECASE
)
_SIMILARITY: Final = 0.8
"""How similar a word has to be to the domain's name to count as a misspelling of it."""

_LITERAL: Final = (nodes.literal, nodes.FixedTextElement, nodes.comment, nodes.raw, nodes.math)


def find_lost(document: nodes.document) -> Iterator[tuple[nodes.Element, str, str]]:
    """Yield each lost directive or role of ``document``: its node, how its text begins, and what it became."""
    for node in document.findall():
        if isinstance(node, nodes.Text):
            if "djconn" in node.lower() and _is_plain(node):
                yield node.parent, _begin(node), "plain text"
        elif isinstance(node, (nodes.comment, nodes.raw)):
            text = node.astext()
            if (isinstance(node, nodes.comment) or text.startswith("<!--")) and _is_ours(text):
                yield node, _begin(text), "a comment"
        elif isinstance(node, nodes.literal_block):
            language = str(node.get("language", "")).strip("{}")
            if language.lower().startswith("djconn"):
                yield node, language, "a block of code"


def _is_plain(text: nodes.Text) -> bool:
    """Return whether ``text`` contains something like a role, or begins like a directive."""
    parent = text.parent
    if isinstance(parent, _LITERAL):
        return False
    begins = parent.children[0] is text and isinstance(parent, (nodes.paragraph, nodes.term))
    return bool((begins and _DIRECTIVE.match(text)) or _ROLE.search(text))


def line_in(source: str, begin: str, after: int) -> int:
    """Return the first line of the file ``source`` that contains ``begin``, below the line ``after``; or 0."""
    try:
        lines = Path(source).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return 0
    return next((n for n, line in enumerate(lines, 1) if n > after and begin in line), 0)


def hint(begin: str) -> str:
    """Return what to write instead."""
    if _ROLE.search(begin):
        return "write a role as in ':djconn:fact:`SCENARIO FACT`', with backticks and no space in its name"
    return (
        "write a directive as in '.. djconn:claim:: NAME', or in MyST '```{djconn:claim} NAME', or begin a "
        "comment that is meant as one with another word"
    )


def _is_ours(text: str) -> bool:
    """Return whether a comment begins with a name of ours, or a similar one."""
    text = text.removeprefix("<!--").strip()
    if _WITHOUT_DOMAIN.match(text) and _OPTION.search(text):
        return True
    first = _FIRST_WORD.match(text)
    if first is None:
        return False
    word = re.sub(r"[^a-z]", "", first["word"].lower())
    if word.startswith("djconn"):
        return True
    return first["mark"] == ":" and SequenceMatcher(None, word, "djconn").ratio() >= _SIMILARITY


def _begin(text: str) -> str:
    lines = [line.strip() for line in text.removeprefix("<!--").strip().splitlines()]
    line = next((line for line in lines if "djconn" in line.lower()), lines[0] if lines else "")
    return line[:60]
