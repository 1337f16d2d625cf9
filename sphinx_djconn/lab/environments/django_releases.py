"""Django's final releases, in order, and the names of their environments."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sphinx_djconn.lab.environments.python_versions import SERIES, Minor

LAST_PATCH: Final[Mapping[Minor, int]] = {
    (1, 11): 29,
    (2, 0): 13,
    (2, 1): 15,
    (2, 2): 28,
    (3, 0): 14,
    (3, 1): 14,
    (3, 2): 25,
    (4, 0): 10,
    (4, 1): 13,
    (4, 2): 30,
    (5, 0): 14,
    (5, 1): 15,
    (5, 2): 19,
    (6, 0): 10,
    (6, 1): 3,
}
"""The last patch release of each series in November 2026 (``pip index versions django``)."""

_OPEN: Final = frozenset({(5, 2), (6, 0), (6, 1)})
"""Series that may get more patches, since they were supported then (https://www.djangoproject.com/download/)."""

_WITHDRAWN: Final[Mapping[Minor, frozenset[int]]] = {
    (1, 11): frozenset({19}),
    (2, 0): frozenset({11}),
    (2, 1): frozenset({6}),
    (4, 2): frozenset({12}),
    (5, 0): frozenset({5}),
}
"""Releases that were withdrawn within a day, because of their packaging. The index no longer lists them."""

_NAME: Final = re.compile(r"(?:django-)?(\d+)\.(\d+)(?:\.(\d+))?")
_NEWEST: Final = 1 << 10
"""Stands for the newest patch release of a series."""


@dataclass(frozen=True)
class Release:
    """A release by the name that readers use, and the name of its environment.

    ``order`` sorts releases. It is empty for an environment of conf.py, whose Django is unknown here.
    """

    name: str
    environment: str
    order: tuple[int, ...] = ()


def parse_release(text: str) -> Release | None:
    """Return the release ``X.Y.Z``, or the newest one of the series ``X.Y``; ``None`` for any other name.

    Raises ``ValueError`` for a release that does not exist.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        if re.fullmatch(r"(?:django-)?\d+\.\d+(\.\d+)?\.?(a|b|rc|dev)\d*", text):
            raise ValueError(
                f"`{text}` is no final release; name it in `djconn_environments`, and write that name"
            )
        return None
    series = (int(match[1]), int(match[2]))
    _check(text.removeprefix("django-"), series, match[3])
    name = ".".join(part for part in match.groups() if part is not None)
    patch = int(match[3]) if match[3] else _NEWEST
    return Release(name, f"django-{name}", (*series, patch))


def releases_between(first: str, last: str) -> list[Release]:
    """Return the final releases from ``first`` to ``last``, which are series or releases, inclusive.

    Raises ``ValueError`` if there are none, or if one is newer than our table.
    """
    start, end = (_parse_end(text, f"{first} to {last}") for text in (first, last))
    if start[2] == _NEWEST:
        start = (*start[:2], 0)
    if start > end:
        raise ValueError(f"`{first} to {last}` goes backwards; write `{last} to {first}`")
    return [
        _final(series, patch)
        for series, newest in LAST_PATCH.items()
        for patch in range(newest + 1)
        if start <= (*series, patch) <= end and patch not in _WITHDRAWN.get(series, ())
    ]


def _parse_end(text: str, range_text: str) -> tuple[int, ...]:
    """Return the order of ``text``, one end of ``range_text``."""
    release = parse_release(text)
    if release is None:
        raise ValueError(
            f"`{text}` is no release, and `{range_text}` needs one on both sides, as in `2.0 to 3.2`"
        )
    newest = max(LAST_PATCH)
    series, patch = release.order[:2], release.order[2]
    if series > newest or (patch != _NEWEST and patch > LAST_PATCH.get((series[0], series[1]), -1)):
        raise ValueError(
            f"`{text}` is newer than the last release in the table of sphinx_djconn, {newest[0]}.{newest[1]}."
            f"{LAST_PATCH[newest]}; name newer ones one by one, with commas between them"
        )
    return release.order


def _final(series: Minor, patch: int) -> Release:
    """Return a release by its own name. The first one of a series has no third number."""
    text = f"{series[0]}.{series[1]}"
    return Release(f"{text}.{patch}" if patch else text, f"django-{text}.{patch}", (*series, patch))


def _check(text: str, series: Minor, patch: str | None) -> None:
    newest = max(LAST_PATCH)
    if series not in LAST_PATCH and series < newest:
        names = [f"{major}.{minor}" for major, minor in SERIES]
        near = difflib.get_close_matches(text, names, n=1, cutoff=0)
        raise ValueError(
            f"no Django {series[0]}.{series[1]} was released, or it is older than 1.11; did you mean "
            f"`{near[0]}`? Known: {', '.join(names)}"
        )
    if patch and series in LAST_PATCH and series not in _OPEN and int(patch) > LAST_PATCH[series]:
        last = f"{series[0]}.{series[1]}.{LAST_PATCH[series]}"
        raise ValueError(f"there is no Django {text}: the last release of its series is {last}")
