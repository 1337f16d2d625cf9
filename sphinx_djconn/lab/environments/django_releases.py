"""Django's final releases, in order, and the environments that have them."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sphinx_djconn.lab.environments.python_versions import SERIES, Minor

LAST: Final[Mapping[Minor, int]] = {
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
"""Those that had not come to their end then (https://www.djangoproject.com/download/): more may follow."""

_WITHDRAWN: Final[Mapping[Minor, frozenset[int]]] = {
    (1, 11): frozenset({19}),
    (2, 0): frozenset({11}),
    (2, 1): frozenset({6}),
    (4, 2): frozenset({12}),
    (5, 0): frozenset({5}),
}
"""Releases that were taken back within a day, because of their packaging: the index no longer lists them."""

_NAME: Final = re.compile(r"(?:django-)?(\d+)\.(\d+)(?:\.(\d+))?")
_NEWEST: Final = 1 << 10


@dataclass(frozen=True)
class Release:
    """A release by the name that readers know it by, and the environment that has it.

    ``order`` compares releases; it is empty for an environment of conf.py, whose Django is not known here.
    """

    name: str
    environment: str
    order: tuple[int, ...] = ()


def named(text: str) -> Release | None:
    """Return the release ``X.Y.Z``, or the newest one of the series ``X.Y``; ``None`` for any other name.

    Raises ``ValueError`` for a release that has never been.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        if re.fullmatch(r"(?:django-)?\d+\.\d+(\.\d+)?\.?(a|b|rc|dev)\d*", text):
            raise ValueError(
                f"`{text}` is no final release; name it in `djconn_environments`, and write that name"
            )
        return None
    series = (int(found[1]), int(found[2]))
    _check(text.removeprefix("django-"), series, found[3])
    name = ".".join(part for part in found.groups() if part is not None)
    patch = int(found[3]) if found[3] else _NEWEST
    return Release(name, f"django-{name}", (*series, patch))


def between(first: str, last: str) -> list[Release]:
    """Return the final releases from ``first`` to ``last``, each a series or a release.

    Raises ``ValueError`` where there are none, or where the table does not reach so far.
    """
    start, end = (_end(text, f"{first} to {last}") for text in (first, last))
    if start[2] == _NEWEST:
        start = (*start[:2], 0)
    if start > end:
        raise ValueError(f"`{first} to {last}` goes backwards; write `{last} to {first}`")
    return [
        _final(series, patch)
        for series, newest in LAST.items()
        for patch in range(newest + 1)
        if start <= (*series, patch) <= end and patch not in _WITHDRAWN.get(series, ())
    ]


def _end(text: str, whole: str) -> tuple[int, ...]:
    """Return where a range ``whole`` begins or ends that has ``text`` at this end."""
    release = named(text)
    if release is None:
        raise ValueError(f"`{text}` is no release, and `{whole}` needs one on both sides, as in `2.0 to 3.2`")
    newest = max(LAST)
    series, patch = release.order[:2], release.order[2]
    if series > newest or (patch != _NEWEST and patch > LAST.get((series[0], series[1]), -1)):
        raise ValueError(
            f"`{text}` is newer than the releases that are known here, which end with "
            f"{newest[0]}.{newest[1]}.{LAST[newest]}; name newer ones one by one, with commas between them"
        )
    return release.order


def _final(series: Minor, patch: int) -> Release:
    """Return a release by its own name: the first one of a series has no third number."""
    text = f"{series[0]}.{series[1]}"
    return Release(f"{text}.{patch}" if patch else text, f"django-{text}.{patch}", (*series, patch))


def _check(text: str, series: Minor, patch: str | None) -> None:
    newest = max(LAST)
    if series not in LAST and series < newest:
        known = [f"{major}.{minor}" for major, minor in SERIES]
        near = difflib.get_close_matches(text, known, n=1, cutoff=0)
        raise ValueError(
            f"no Django {series[0]}.{series[1]} was released, or it is older than 1.11; did you mean "
            f"`{near[0]}`? Known: {', '.join(known)}"
        )
    if patch and series in LAST and series not in _OPEN and int(patch) > LAST[series]:
        last = f"{series[0]}.{series[1]}.{LAST[series]}"
        raise ValueError(f"there is no Django {text}: the last release of its series is {last}")
