"""The lines of a sequence, and the error for a line that cannot be parsed."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple

NEW_CLIENT: Final = "new client"
"""The name that stands for a different client for each request."""

SHOWN: Final = 60
"""The largest number of characters from a page that a message quotes."""


class SequenceError(ValueError):
    """A sequence cannot be parsed: ``message`` says what is wrong, ``hint`` what to do.

    ``line`` counts from 0 at the first line of the body.
    """

    def __init__(self, message: str, hint: str, line: int) -> None:
        super().__init__(message, hint, line)
        self.message = message
        self.hint = hint
        self.line = line

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}"


class Line(NamedTuple):
    """A line that is neither blank nor a comment. ``indent`` is in columns."""

    number: int
    indent: int
    text: str

    def error(self, message: str, hint: str) -> SequenceError:
        """Return an error about this line."""
        return SequenceError(message, hint, self.number)


def significant(body: Iterable[str], first: int = 0) -> Iterator[Line]:
    """Yield the lines that are neither blank nor comments, without the indentation that all of them share.

    ``first`` is the number of the first line of ``body``.
    """
    lines = []
    for number, raw in enumerate(body, first):
        text = raw.strip()
        if text and not text.startswith("#"):
            lines.append(Line(number, indentation(raw), text))
    margin = min((line.indent for line in lines), default=0)
    return (line._replace(indent=line.indent - margin) for line in lines)


def indentation(raw: str) -> int:
    """Return the number of columns by which ``raw`` is indented."""
    return len(raw[: len(raw) - len(raw.lstrip())].expandtabs())


def split_word(text: str) -> tuple[str, str]:
    """Return the first word of ``text`` and the rest, either of which may be empty."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, "".join(rest).rstrip()


def short(text: str) -> str:
    """Return ``text`` for a message, cut if it is long."""
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def unknown(line: Line, text: str, client: str = "browser") -> SequenceError:
    """Return the error for ``text`` that is not a step, with the most similar step."""
    forms = [
        f"{client}: GET /polls/",
        f"{client}: close",
        "together:",
        "wait 1.5s",
        "reload",
        "database: end sessions",
        "database: restart",
    ]
    near = get_close_matches(text[:SHOWN], forms, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"write a step as in '{forms[0]}'"
    return line.error(f"'{short(text)}' is not a step", hint)
