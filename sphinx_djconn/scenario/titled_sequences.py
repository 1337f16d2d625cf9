"""Parse titled sequences: the body of a matrix can contain several, like a definition list. ::

    TITLE
        step
        …

A line without indentation and with an indented line below it is a title, unless it is ``together:``.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple

from sphinx_djconn.scenario.grammar import NOT_A_CLIENT, is_step, parse_sequence
from sphinx_djconn.scenario.lexer import Line, indentation, short, significant
from sphinx_djconn.scenario.model import Sequence
from sphinx_djconn.scenario.request import METHODS

_TOGETHER: Final = "together:"
_LONGEST_TITLE: Final = 60
_LIKE_A_STEP: Final = re.compile(rf":\s*(?:{'|'.join(METHODS)}|close)\b")
_NOT_IN_TITLES: Final = "[]=,`"
"""Characters that have another meaning in the name of a cell."""


class _Block(NamedTuple):
    """A line without indentation, and the numbers of the lines below it, from ``first`` to before ``end``."""

    head: Line
    first: int
    end: int
    has_steps: bool


def parse_sequences(body: list[str]) -> dict[str, Sequence] | Sequence:
    """Return the sequences in ``body`` by title, or the only sequence if there are no titles.

    Raises :class:`SequenceError` for the first line that is wrong.
    """
    blocks = list(_blocks(list(significant(body)), len(body)))
    if not any(block.has_steps and not _is_step(block.head) for block in blocks):
        return parse_sequence(body)
    sequences: dict[str, Sequence] = {}
    for block in blocks:
        title = _title(block)
        if title in sequences:
            raise block.head.error(
                f"the title '{title}' is given twice", "give each sequence a title of its own"
            )
        sequences[title] = parse_sequence(_unindented(body[block.first : block.end]), block.first)
    return sequences


def _blocks(lines: list[Line], end: int) -> Iterator[_Block]:
    """Yield a block for each line without indentation; none if the first line is indented."""
    if not lines or lines[0].indent:
        return
    heads = [index for index, line in enumerate(lines) if not line.indent]
    for index, following in zip(heads, [*heads[1:], len(lines)], strict=True):
        until = lines[following].number if following < len(lines) else end
        yield _Block(lines[index], lines[index].number + 1, until, has_steps=following > index + 1)


def _is_step(line: Line) -> bool:
    return line.text == _TOGETHER or is_step(line)


def _title(block: _Block) -> str:
    """Return the title of ``block``; raise :class:`SequenceError` if it is not valid, or has no steps."""
    head, title = block.head, " ".join(block.head.text.split())
    if _is_step(head):
        raise head.error(
            f"the step '{short(head.text)}' stands among titled sequences and belongs to none",
            "indent it below a title, or give no sequence a title",
        )
    if not block.has_steps:
        raise head.error(
            f"'{short(title)}' is neither a step nor a title with steps below it",
            "write the steps of each sequence below its title, indented",
        )
    if _LIKE_A_STEP.search(title):
        parse_sequence([head.text], head.number)  # raises the error of that step
    near = get_close_matches(title.casefold(), [_TOGETHER], n=1, cutoff=0.8)
    if near or title.casefold() in NOT_A_CLIENT:
        hint = f"did you mean '{_TOGETHER}'?" if near else NOT_A_CLIENT[title.casefold()]
        raise head.error(f"'{short(title)}' cannot be a title", hint)
    wrong = next((letter for letter in title if letter in _NOT_IN_TITLES or not letter.isprintable()), None)
    if wrong is not None or len(title) > _LONGEST_TITLE:
        what = f"{wrong!r} in it" if wrong else f"{len(title)} characters"
        raise head.error(
            f"'{short(title)}' cannot be a title, with {what}",
            f"use at most {_LONGEST_TITLE} characters, and none of {' '.join(_NOT_IN_TITLES)}",
        )
    return title


def _unindented(lines: list[str]) -> list[str]:
    """Return ``lines`` without the indentation that their steps share, and without lines after the last."""
    expanded = [line.expandtabs() for line in lines]
    while expanded and (not expanded[-1].strip() or expanded[-1].startswith("#")):
        expanded.pop()  # a comment without indentation is about the next title
    margin = min(indentation(line) for line in expanded if line.strip() and not line.lstrip().startswith("#"))
    return [line[min(margin, indentation(line)) :] for line in expanded]
