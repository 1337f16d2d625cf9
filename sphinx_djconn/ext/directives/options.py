"""Options of directives. Each function reads one; its ``ValueError`` says what to write instead."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.evidence.parts import PARTS
from sphinx_djconn.ext.messages import unknown
from sphinx_djconn.lab.limits import MAX_TIMEOUT
from sphinx_djconn.scenario.matrix import axis_text
from sphinx_djconn.scenario.model import GARBAGE_COLLECTION, PROJECT_DEFAULT, GarbageCollection

_RUNS_MOST: Final = 1000


def name(text: str) -> str:
    """Return the name of a scenario or claim: one word, so that roles and expressions can use it."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", text):
        raise ValueError(f"`{text}` is no name: use one word of letters, digits, `-`, `_` and `.`")
    return text


def word(text: str | None) -> str:
    """Return the text of an option that must not be empty."""
    if text is None or not text.strip():
        raise ValueError("a value is missing")
    return text.strip()


class Several(NamedTuple):
    """The values of an option whose text is a list."""

    values: tuple[Any, ...]


def single(read: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
    """Return a function that reads one value with ``read``, and rejects a list."""

    def read_single(text: str | None) -> Any:
        if text is not None and "," in text:
            raise ValueError(f"`{text}` is a list, and a scenario has one value; use djconn:matrix for several")
        return read(text)

    return read_single


def several(read: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
    """Return a function that reads one value with ``read``, or a list with commas as :class:`Several`."""

    def read_several(text: str | None) -> Any:
        if text is None or "," not in text:
            return read(text)
        values: list[Any] = []
        for part in text.split(","):
            if not part.strip():
                raise ValueError(f"`{text}` has an empty value; write values with commas between them")
            value = read(part.strip())
            if value in values:
                raise ValueError(f"`{axis_text(value)}` is in the list twice; remove one of them")
            values.append(value)
        return Several(tuple(values))

    return read_several


def facts(text: str | None) -> tuple[str, ...]:
    """Return names of facts, separated by commas or blanks."""
    names = tuple(filter(None, re.split(r"[,\s]+", word(text))))
    for fact in names:
        if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", fact):
            raise ValueError(f"`{fact}` is no name of a fact; write names with commas between them")
        if names.count(fact) > 1:
            raise ValueError(f"`{fact}` is named twice; remove one of them")
    if not names:
        raise ValueError("no fact is named; write some, as in `threads, db.opened`")
    return names


def conn_max_age(text: str | None) -> float | str | None:
    """Return seconds, ``None`` for no limit, or the constant for the project's own setting."""
    value = (text or "").strip().lower()
    if not value:
        return PROJECT_DEFAULT
    if value == "none":
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"`{text}` is no age: use seconds, `none` for no limit, or nothing")
    return int(seconds) if seconds == int(seconds) else seconds


def garbage_collection(text: str | None) -> GarbageCollection:
    """Return when Python's garbage collector can run."""
    value = word(text)
    for valid in GARBAGE_COLLECTION:
        if value == valid:
            return valid
    raise ValueError(unknown("garbage collection", value, GARBAGE_COLLECTION))


def boolean(text: str | None) -> bool:
    """Return a truth value; an option without a value means true."""
    value = (text or "true").strip().lower()
    if value not in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError(f"`{text}` is neither `true` nor `false`")
    return value in ("true", "yes", "on")


def runs(text: str | None) -> int:
    """Return how many times a scenario is run."""
    value = word(text)
    if not value.isdecimal() or not 1 <= int(value) <= _RUNS_MOST:
        raise ValueError(f"`{value}` is no number of runs: use one from 1 to {_RUNS_MOST}")
    return int(value)


def seconds(text: str | None) -> float:
    """Return a positive number of seconds."""
    value = word(text).removesuffix("s")
    try:
        number = float(value)
    except ValueError:
        number = 0
    if not 0 < number <= MAX_TIMEOUT:
        raise ValueError(f"`{text}` is no time limit: use seconds, such as `10`, and at most {MAX_TIMEOUT:,}")
    return number


def parts(text: str | None) -> tuple[str, ...]:
    """Return the parts of the evidence to show, in the order of the text."""
    names = tuple(re.split(r"[,\s]+", word(text)))
    for name in names:
        if name not in PARTS:
            raise ValueError(unknown("part of the evidence", name, PARTS))
    return names


def verdict(text: str | None) -> Verdict:
    """Return the declared verdict."""
    value = word(text)
    try:
        return Verdict(value)
    except ValueError:
        raise ValueError(unknown("verdict", value, list(Verdict))) from None
