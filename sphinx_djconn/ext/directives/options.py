"""Options of directives: each function reads one, and raises ``ValueError`` with what to do."""

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sphinx_djconn.claims.verdict import Verdict
from sphinx_djconn.lab.limits import MAX_TIMEOUT
from sphinx_djconn.scenario.matrix import axis_text
from sphinx_djconn.scenario.model import GARBAGE_COLLECTION, PROJECT_DEFAULT, GarbageCollection

_MOST_RUNS = 1000
_MOST_KNOWN = 12


def name(text: str) -> str:
    """Return the name of a scenario or claim: one word, for roles and expressions to use."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", text):
        raise ValueError(f"`{text}` is no name: use one word of letters, digits, `-`, `_` and `.`")
    return text


def word(text: str | None) -> str:
    """Return a word that must be there."""
    if text is None or not text.strip():
        raise ValueError("a value is missing")
    return text.strip()


class Several(NamedTuple):
    """The values of an option that was given a list."""

    values: tuple[Any, ...]


def single(read: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
    """Return what reads one value as ``read`` does, and refuses a list of several."""

    def read_single(text: str | None) -> Any:
        if text is not None and "," in text:
            raise ValueError(f"`{text}` is a list, and a scenario has one value; use djconn:matrix for several")
        return read(text)

    return read_single


def several(read: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
    """Return what reads one value as ``read`` does, or :class:`Several` out of a list with commas."""

    def read_several(text: str | None) -> Any:
        if text is None or "," not in text:
            return read(text)
        found: list[Any] = []
        for part in text.split(","):
            if not part.strip():
                raise ValueError(f"`{text}` has an empty value; write values with commas between them")
            value = read(part.strip())
            if value in found:
                raise ValueError(f"`{axis_text(value)}` is in the list twice; remove one of them")
            found.append(value)
        return Several(tuple(found))

    return read_several


def facts(text: str | None) -> tuple[str, ...]:
    """Return names of facts, with commas or blanks between them."""
    found = tuple(filter(None, re.split(r"[,\s]+", word(text))))
    for fact in found:
        if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", fact):
            raise ValueError(f"`{fact}` is no name of a fact; write names with commas between them")
        if found.count(fact) > 1:
            raise ValueError(f"`{fact}` is named twice; remove one of them")
    if not found:
        raise ValueError("no fact is named; write some, as in `threads, db.opened`")
    return found


def conn_max_age(text: str | None) -> float | str | None:
    """Return seconds, ``None`` for no limit, or the mark for the project's own setting."""
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
    for known in GARBAGE_COLLECTION:
        if value == known:
            return known
    raise ValueError(unknown("garbage collection", value, GARBAGE_COLLECTION))


def boolean(text: str | None) -> bool:
    """Return true or false; the option alone means true."""
    value = (text or "true").strip().lower()
    if value not in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError(f"`{text}` is neither `true` nor `false`")
    return value in ("true", "yes", "on")


def runs(text: str | None) -> int:
    """Return how many times a scenario is run."""
    value = word(text)
    if not value.isdecimal() or not 1 <= int(value) <= _MOST_RUNS:
        raise ValueError(f"`{value}` is no number of runs: use one from 1 to {_MOST_RUNS}")
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
    """Return the parts of the evidence to show, in the order given."""
    from sphinx_djconn.evidence.parts import PARTS  # noqa: PLC0415 - the names are few, what makes them is much

    found = tuple(re.split(r"[,\s]+", word(text)))
    for part in found:
        if part not in PARTS:
            raise ValueError(unknown("part of the evidence", part, PARTS))
    return found


def verdict(text: str | None) -> Verdict:
    """Return the verdict that an author declares."""
    value = word(text)
    try:
        return Verdict(value)
    except ValueError:
        raise ValueError(unknown("verdict", value, list(Verdict))) from None


def unknown(kind: str, text: str, known: Iterable[str]) -> str:
    """Return a message that names what is nearest to ``text``, and what is known."""
    names = [str(each) for each in known]
    near = difflib.get_close_matches(text, names, n=1)
    if near and len(names) > _MOST_KNOWN:
        return f"unknown {kind} `{text}`; did you mean `{near[0]}`?"
    meant = f"; did you mean `{near[0]}`?" if near else "."
    more = f" and {len(names) - _MOST_KNOWN} more" if len(names) > _MOST_KNOWN else ""
    return f"unknown {kind} `{text}`{meant} Known: {', '.join(names[:_MOST_KNOWN]) or 'none'}{more}"
