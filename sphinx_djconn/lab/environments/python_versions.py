"""Which Pythons each Django supports."""

from typing import Final, NamedTuple

from packaging.requirements import Requirement
from packaging.version import Version

Minor = tuple[int, int]
"""A Python, such as ``(3, 12)``."""

_NO_MICRO: Final = 1 << 10
"""A micro version that no release has: it stands for the newest of a series."""


class _Series(NamedTuple):
    oldest: Minor
    newest: Minor
    added: int = 0
    """The micro release of this Django that first supported ``newest``; those before it end one earlier."""


SERIES: Final = {
    (1, 11): _Series((3, 4), (3, 7), 17),
    (2, 0): _Series((3, 4), (3, 7)),
    (2, 1): _Series((3, 5), (3, 7)),
    (2, 2): _Series((3, 5), (3, 9), 17),
    (3, 0): _Series((3, 6), (3, 9), 11),
    (3, 1): _Series((3, 6), (3, 9), 3),
    (3, 2): _Series((3, 6), (3, 10), 9),
    (4, 0): _Series((3, 8), (3, 10)),
    (4, 1): _Series((3, 8), (3, 11), 3),
    (4, 2): _Series((3, 8), (3, 12), 8),
    (5, 0): _Series((3, 10), (3, 12)),
    (5, 1): _Series((3, 10), (3, 13), 3),
    (5, 2): _Series((3, 10), (3, 14), 8),
    (6, 0): _Series((3, 12), (3, 14)),
    (6, 1): _Series((3, 12), (3, 14)),
}
"""Django's documentation, "FAQ: Installation", "What Python version can I use with Django?"
(docs/faq/install.txt of each release), as far as it is of Python 3."""

_ADDED_EARLIER: Final = {(2, 2): ((3, 8), 8)}
"""Where a series has had two Pythons added: the first of them, and the micro release (the same source)."""


class Range(NamedTuple):
    """The Pythons from ``oldest`` to ``newest``; ``None`` is as new as there is."""

    oldest: Minor
    newest: Minor | None

    def __contains__(self, minor: object) -> bool:
        """Return whether ``minor``, such as ``(3, 12)``, is among them."""
        if not isinstance(minor, tuple):
            return False
        return self.oldest <= minor[:2] and (self.newest is None or minor[:2] <= self.newest)

    def __str__(self) -> str:
        oldest = ".".join(map(str, self.oldest))
        return f"{oldest} or newer" if self.newest is None else f"{oldest} to {'.'.join(map(str, self.newest))}"


ANY: Final = Range((3, 6), None)
"""What the probe runs on. For a Django that the table does not know, the newest Python is tried, and the
installer compares it with the distribution's ``Requires-Python``, which has a lower bound only."""


def pythons(django: Requirement) -> Range:
    """Return the Pythons for the newest Django that ``django`` allows, as far as the probe runs on them."""
    newest = _newest(django)
    return ANY if newest is None else _of(*newest)


def series(django: Requirement | None) -> Minor | None:
    """Return the series of the newest Django that ``django`` allows; nothing for one newer than the table."""
    newest = None if django is None else _newest(django)
    return None if newest is None else newest[0]


def _newest(django: Requirement) -> tuple[Minor, int] | None:
    if django.url:
        return None
    newest_known = max(SERIES)
    if django.specifier.contains(f"{newest_known[0] + 1}.{_NO_MICRO}", prereleases=False):
        return None
    if any(Version(each).release[:2] > newest_known for each in _named(django)):
        return None
    for series in sorted(SERIES, reverse=True):
        release = _newest_allowed(django, series)
        if release is not None:
            return series, release
    return None


def _of(series: Minor, micro: int) -> Range:
    oldest, newest, added = SERIES[series]
    if micro < added:
        newest = (newest[0], newest[1] - 1)
    if series in _ADDED_EARLIER and micro < _ADDED_EARLIER[series][1]:
        newest = (newest[0], _ADDED_EARLIER[series][0][1] - 1)
    return Range(max(oldest, ANY.oldest), newest)


def _newest_allowed(django: Requirement, series: Minor) -> int | None:
    """Return the micro version of the newest release of ``series`` that ``django`` can mean."""
    released = [_NO_MICRO, *(_micro(each) for each in _named(django) if Version(each).release[:2] == series)]
    released += [each - 1 for each in released[1:] if each]  # for `<4.2.8`
    allowed = [
        micro
        for micro in released
        if django.specifier.contains(f"{series[0]}.{series[1]}.{micro}", prereleases=True)
    ]
    return max(allowed, default=None)


def _named(django: Requirement) -> list[str]:
    """Return the versions in the specifiers of ``django``."""
    return [each.version.removesuffix(".*") for each in django.specifier if each.operator != "==="]


def _micro(version: str) -> int:
    return Version(version).micro
