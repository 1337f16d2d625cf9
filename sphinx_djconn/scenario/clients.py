"""The names of clients in a sequence, and the messages for names that are not valid."""

import re
import unicodedata
from typing import Final

from sphinx_djconn.scenario.lexer import NEW_CLIENT, Line, short
from sphinx_djconn.scenario.request import METHODS

_NAME: Final = re.compile(r"[^\W\d_][\w-]*")
_NEW: Final = re.compile(r"new[\s_-]*clients?(?![^\W\d_])", re.IGNORECASE)
_TIMES: Final = r"(?:[x*\u00d7]|times\b)"
_COUNTED: Final = re.compile(
    rf"(?P<count>\d+)(?!st|nd|rd|th)\s*(?P<times>{_TIMES})?\s*(?P<name>[^\W\d].*)?", re.IGNORECASE | re.DOTALL
)
_COUNTED_AFTER: Final = re.compile(
    rf"(?P<name>\S.*?)(?P<times>\s+{_TIMES}\s*|\s*[*\u00d7]\s*)(?P<count>\d+)", re.IGNORECASE
)
_ITEM: Final = re.compile(r"(?:[-+*\u2022]|\d+[.)])\s+(?P<name>\S.*)")
_OPTION: Final = re.compile(r":[\w-]+:(?:\s.*)?")
_WORDS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_IN_WORDS: Final = {word: count for count, word in enumerate(_WORDS, 2)}


def comparable(name: str) -> str:
    """Return a text that is the same for names that readers would confuse."""
    return re.sub("[-_]", "", unicodedata.normalize("NFKC", name).casefold())


def read_client(line: Line, written: str, action: str, text: str) -> str | None:
    """Return the name of the client that is ``written`` before ``action``; ``None`` for a new client.

    ``text`` is the step on ``line``, without a count. Raises :class:`SequenceError` if the name is not valid.
    """
    name = " ".join(written.split())
    if name == NEW_CLIENT:
        return None
    if not name and _OPTION.fullmatch(text):
        raise line.error(
            f"'{short(text)}' is not a step",
            "write options directly below the first line of the directive, and a blank line below them",
        )
    if name.split(" ")[0] in METHODS or not name:
        raise line.error(
            f"'{short(text)}' does not say which client sends it",
            "begin with the client, as in 'browser: GET /polls/'",
        )
    if _NAME.fullmatch(name) and not _NEW.match(name):
        return name
    before = line.text.removesuffix(text)
    raise line.error(f"'{short(name)}' cannot name a client", _hint(name, before, action or "GET /polls/"))


def _hint(name: str, before: str, action: str) -> str:
    """Return what to write instead of ``name``, which is between ``before`` and ``action``."""
    item = _ITEM.fullmatch(name)
    if item is not None:
        return f"put no mark before a step: '{short(f'{_client(item[1])}: {action}')}'"
    count, client = _counted(name)
    if count:
        return f"write a repetition as in '{short(f'{count} x {client}: {action}')}'"
    meant = f"'{short(f'{before}{_client(name)}: {action}')}'"
    if _NEW.search(name):
        return f"write 'new client' for clients with a connection of their own each: {meant}"
    return (
        "begin with a letter, then use letters, digits, '-' and '_', and no spaces, with a colon after the "
        f"name: {meant}"
    )


def _counted(name: str) -> tuple[str, str]:
    """Return the count in ``name``, or an empty text, and the client."""
    word, _, rest = name.partition(" ")
    if rest and word.casefold() in _IN_WORDS:
        return str(_IN_WORDS[word.casefold()]), _client(rest)
    match = _COUNTED.fullmatch(name) or _COUNTED_AFTER.fullmatch(name)
    if match is None or (not match["name"] and not match["times"]):
        return "", name
    return match["count"], _client(match["name"] or "browser")


def _client(name: str) -> str:
    """Return the most similar valid name of a client, with the count before it."""
    count, client = _counted(name)
    if count:
        return f"{count} x {client}"
    if _NEW.search(name):
        return NEW_CLIENT
    valid = re.sub(r"[^\w-]+", "-", name).strip("-_")
    return valid if _NAME.fullmatch(valid) else f"client-{valid}".strip("-")
