"""Makes text of servers and projects safe for every output format."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

_LONGEST_LINE: Final = 400
_ANSI: Final = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"


def printable(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return ``text`` as one line of visible characters, cut after ``longest`` characters.

    Terminal colours are removed. Characters that XML and LaTeX cannot contain (control characters, changes of
    the writing direction, bytes that were not UTF-8) are escaped as in a Python string.
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
    """Return ``value`` with separators between thousands: ``9,975``."""
    return f"{value:,}"


def middle(items: Sequence[_T], head: int, tail: int, what: str = "lines") -> list[_T | str]:
    """Return ``items``; if there are more than ``head + tail``, a line replaces the middle."""
    left_out = len(items) - head - tail
    if left_out <= 1:
        return [*items]
    return [*items[:head], "", f"… {number(left_out)} more {what} …", "", *items[-tail:]]
