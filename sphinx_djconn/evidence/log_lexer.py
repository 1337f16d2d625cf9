"""A Pygments lexer for the log part, so that the theme colours it."""

from collections.abc import Iterator
from typing import ClassVar, Final

from pygments.lexer import Lexer
from pygments.token import Generic, Keyword, Punctuation, Text, _TokenType

LOG_LANGUAGE: Final = "djconn-log"
"""The name of :class:`LogLexer`."""

BAR: Final = "│"
"""Separates the entity of an event from its description. No other line contains it."""


class LogLexer(Lexer):
    """Distinguishes the lines of the log part: steps, events, and the server's own lines."""

    name = "sphinx_djconn log"
    aliases: ClassVar = [LOG_LANGUAGE]
    filenames: ClassVar[list[str]] = []

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Yield index, token and text of each piece."""
        index = 0
        for line in text.splitlines(keepends=True):
            for token, piece in _tokens(line):
                yield index, token, piece
                index += len(piece)


def _tokens(line: str) -> Iterator[tuple[_TokenType, str]]:
    source, bar, event = line.partition(BAR)
    if bar:
        yield Keyword, source
        yield Punctuation, bar
        yield Generic.Emph, event
    else:
        yield (Generic.Strong if line.startswith("# ") else Text), line
