"""Directives and roles of ours that a page has lost: a mistake has made them a comment, code or plain text.

``.. djconn:claim: c``, with one colon, is a comment for docutils: the claim would vanish without a word.
A directive whose name is unknown is not lost, since docutils says so itself.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from docutils import nodes

_NAMES: Final = ("scenario", "matrix", "claim", "since", "claims")
_ROLES: Final = ("fact", "scenario", "claim")
_BY_HEART: Final = re.compile(rf"(?:{'|'.join(_NAMES)})\s*:", re.IGNORECASE)
"""A directive without the domain, which counts if it has one of these options."""

_OPTION: Final = re.compile(r"^\s*:(?:in|expect|sometimes|releases|conn-max-age|verdict):", re.MULTILINE)
_FIRST_WORD: Final = re.compile(r"[^\w:{]*\{?\s*:?(?P<word>\w[\w. -]*?)\s*(?P<mark>[:}]|\s|$)")
_DIRECTIVE: Final = re.compile(r"(?:\.{1,3}\s?|:{3,}\s*)?\{?djconn\s?:{1,2}\s?\w+\s?(?::|\})", re.IGNORECASE)
_ROLE: Final = re.compile(
    rf":djconn\s?:\s?(?:{'|'.join(_ROLES)}):|\{{djconn:(?:{'|'.join(_ROLES)})\}}", re.IGNORECASE
)
_LIKE: Final = 0.8
"""How much of a word has to be that of the domain, for a slip of the finger."""

_LITERAL: Final = (nodes.literal, nodes.FixedTextElement, nodes.comment, nodes.raw, nodes.math)


def lost(document: nodes.document) -> Iterator[tuple[nodes.Element, str, str]]:
    """Yield what is lost in ``document``: where, how its text begins, and what it has become."""
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
    """Return whether ``text`` has what was meant as a role, or begins as a directive does."""
    parent = text.parent
    if isinstance(parent, _LITERAL):
        return False
    begins = parent.children[0] is text and isinstance(parent, (nodes.paragraph, nodes.term))
    return bool((begins and _DIRECTIVE.match(text)) or _ROLE.search(text))


def line_in(source: str, begin: str, after: int) -> int:
    """Return the line of the file ``source`` that says ``begin``, the next below ``after``; 0 if none does."""
    try:
        lines = Path(source).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return 0
    return next((n for n, line in enumerate(lines, 1) if n > after and begin in line), 0)


def hint(begin: str) -> str:
    """Return what to write."""
    if _ROLE.search(begin):
        return "write a role as in ':djconn:fact:`SCENARIO FACT`', with backticks and no space in its name"
    return (
        "write a directive as in '.. djconn:claim:: NAME', or in MyST '```{djconn:claim} NAME', or begin a "
        "comment that is meant as one with another word"
    )


def _is_ours(text: str) -> bool:
    """Return whether a comment begins with a name of ours, or one that is almost that."""
    text = text.removeprefix("<!--").strip()
    if _BY_HEART.match(text) and _OPTION.search(text):
        return True
    found = _FIRST_WORD.match(text)
    if found is None:
        return False
    word = re.sub(r"[^a-z]", "", found["word"].lower())
    if word.startswith("djconn"):
        return True
    return found["mark"] == ":" and SequenceMatcher(None, word, "djconn").ratio() >= _LIKE


def _begin(text: str) -> str:
    lines = [line.strip() for line in text.removeprefix("<!--").strip().splitlines()]
    at = next((line for line in lines if "djconn" in line.lower()), lines[0] if lines else "")
    return at[:60]
