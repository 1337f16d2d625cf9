"""Text of servers and projects, made fit for every output format."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

_LONGEST_LINE: Final = 400
_ANSI: Final = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"


def printable(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return ``text`` as one line in which every character can be seen.

    Colours of a terminal are taken out. What has no shape of its own (control characters, what
    turns the direction of writing, bytes that were no UTF-8) is spelled as in a Python string, so
    that XML and LaTeX can hold it. What is longer than ``longest`` characters is cut, and says so.
    """
    if not text.isprintable() or "\ufffd" in text:
        text = re.sub(_ANSI, "", text).expandtabs()
        text = "".join(map(_visible, text))
    if len(text) > longest:
        text = f"{text[:longest]}… ({number(len(text) - longest)} more characters)"
    return text


def _visible(character: str) -> str:
    if character.isprintable() and character != "\ufffd":
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def number(value: int) -> str:
    """Return ``value`` with its thousands set apart: ``9,975``."""
    return f"{value:,}"


def middle(items: Sequence[_T], head: int, tail: int, what: str = "lines") -> list[_T | str]:
    """Return ``items``; where they are more than ``head + tail``, a line replaces their middle."""
    left_out = len(items) - head - tail
    if left_out <= 1:
        return [*items]
    return [*items[:head], "", f"… {number(left_out)} more {what} …", "", *items[-tail:]]
