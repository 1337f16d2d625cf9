"""Format values for readers, in sentences and tables."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sphinx_djconn.trace.unknown import Unknown

_LONGEST = 60
_MOST_GROUPS = 12


@dataclass(frozen=True, slots=True)
class Possible:
    """The values that a figure of a run can have, depending on when the garbage collector ran."""

    values: tuple[Any, ...]


def value_text(value: Any) -> str:
    """Return ``value`` for a reader: ``none``, ``true``, ``6``, ``T1``, ``200 × 5, 500``, ``2 to 7``.

    It is always one line. A value from a response's JSON is cut if it is long.
    """
    return _text(value, cut=True)


def figure_text(values: Sequence[Any]) -> str:
    """Return the ``values`` of one figure in several runs for a reader.

    If they differ, numbers are a range (``5–6 in 3 runs``), and others a choice (``T1 or none in 3 runs``). The
    order of the runs does not matter.
    """
    texts = {_text(value, cut=False): value_text(value) for value in values}
    if len(texts) <= 1:
        return next(iter(texts.values()), value_text(None))
    if all(_is_number(value) for value in values):
        differing = f"{value_text(min(values))}–{value_text(max(values))}"
    else:
        differing = " or ".join(texts[whole] for whole in sorted(texts))
    return f"{differing} in {len(values)} runs"


def _text(value: Any, *, cut: bool) -> str:
    if isinstance(value, Possible):
        return _possible_text(value.values, cut=cut)
    if isinstance(value, (set, frozenset)) and value:
        return ", ".join(sorted(_text(item, cut=cut) for item in value))
    if isinstance(value, (list, tuple)) and value and not any(map(_is_container, value)):
        return _row(value, cut=cut)
    text = _plain_text(value)
    return text[: _LONGEST - 1] + "…" if cut and len(text) > _LONGEST else text


def _plain_text(value: Any) -> str:
    for word, is_meant in _WORDS.items():
        if is_meant(value):
            return word
    if isinstance(value, str):
        return value if value.isprintable() and value == value.strip() != "" else json.dumps(value)
    return _json(value) if _is_container(value) else repr(value)


_WORDS: Final[dict[str, Callable[[Any], bool]]] = {
    "none": lambda value: value is None,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "not known": lambda value: isinstance(value, Unknown),
    "empty": lambda value: isinstance(value, (list, tuple, set, frozenset)) and not value,
}


def _possible_text(values: Sequence[Any], *, cut: bool) -> str:
    if all(_is_number(value) for value in values):
        return f"{min(values)} to {max(values)}"
    return " or ".join(sorted(_text(value, cut=cut) for value in values))


def _row(values: Sequence[Any], *, cut: bool) -> str:
    texts = [_text(value, cut=cut) for value in values]
    groups = [(text, len(list(same))) for text, same in groupby(texts)]
    shown = groups[:_MOST_GROUPS] if cut else groups
    parts = [text if count == 1 else f"{text} × {count}" for text, count in shown]
    hidden = len(texts) - sum(count for _, count in shown)
    return ", ".join(parts) + (f", … ({hidden} more)" if hidden else "")


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_other)
        return text if text.isprintable() else json.dumps(value, separators=(",", ":"), default=_other)
    except RecursionError:
        return "…"


def _other(value: Any) -> str:
    """Return the text in JSON for a value that JSON does not have."""
    return "not known" if isinstance(value, Unknown) else str(value)


def _is_container(value: Any) -> bool:
    return isinstance(value, (dict, list, tuple, set, frozenset))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
