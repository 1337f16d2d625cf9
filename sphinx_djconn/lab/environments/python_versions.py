"""The Python versions that each Django supports."""

from typing import Final, NamedTuple

from packaging.requirements import Requirement
from packaging.version import Version

Minor = tuple[int, int]
"""A minor version of Python or a series of Django, for example ``(3, 12)``."""

_NO_MICRO: Final = 1 << 10
"""A micro version that no release has. It stands for the newest release of a series."""


class _Series(NamedTuple):
    oldest: Minor
    newest: Minor
    added: int = 0
    """The first micro release that supports ``newest``. Earlier ones support one minor version less."""


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
(docs/faq/install.txt of each release). Python 2 is left out."""

_ADDED_EARLIER: Final = {(2, 2): ((3, 8), 8)}
"""For a series that added two Pythons: the first of them, and its micro release (same source)."""


class Range(NamedTuple):
    """The Pythons from ``oldest`` to ``newest``, inclusive. ``None`` is no upper bound."""

    oldest: Minor
    newest: Minor | None

    def __contains__(self, minor: object) -> bool:
        """Return whether ``minor``, for example ``(3, 12)``, is in the range."""
        if not isinstance(minor, tuple):
            return False
        return self.oldest <= minor[:2] and (self.newest is None or minor[:2] <= self.newest)

    def __str__(self) -> str:
        oldest = ".".join(map(str, self.oldest))
        return f"{oldest} or newer" if self.newest is None else f"{oldest} to {'.'.join(map(str, self.newest))}"


ANY: Final = Range((3, 6), None)
"""The Pythons that the probe supports. For a Django that is not in the table, the newest Python is tried, and
uv compares it with the distribution's ``Requires-Python``, which has a lower bound only."""


def supported_pythons(django: Requirement) -> Range:
    """Return the Pythons that both the probe and the newest Django that ``django`` allows support."""
    newest = _newest(django)
    return ANY if newest is None else _supported_by(*newest)


def newest_series(django: Requirement | None) -> Minor | None:
    """Return the series of the newest Django that ``django`` allows; ``None`` if it is not in the table."""
    newest = None if django is None else _newest(django)
    return None if newest is None else newest[0]


def _newest(django: Requirement) -> tuple[Minor, int] | None:
    """Return the series and the micro version of the newest Django that ``django`` allows."""
    if django.url:
        return None
    last = max(SERIES)
    if django.specifier.contains(f"{last[0] + 1}.{_NO_MICRO}", prereleases=False):
        return None
    if any(Version(each).release[:2] > last for each in _versions(django)):
        return None
    for series in sorted(SERIES, reverse=True):
        release = _newest_allowed(django, series)
        if release is not None:
            return series, release
    return None


def _supported_by(series: Minor, micro: int) -> Range:
    oldest, newest, added = SERIES[series]
    if micro < added:
        newest = (newest[0], newest[1] - 1)
    if series in _ADDED_EARLIER and micro < _ADDED_EARLIER[series][1]:
        newest = (newest[0], _ADDED_EARLIER[series][0][1] - 1)
    return Range(max(oldest, ANY.oldest), newest)


def _newest_allowed(django: Requirement, series: Minor) -> int | None:
    """Return the micro version of the newest release of ``series`` that ``django`` allows."""
    micros = [Version(each).micro for each in _versions(django) if Version(each).release[:2] == series]
    candidates = [_NO_MICRO, *micros, *(micro - 1 for micro in micros if micro)]  # one less for `<4.2.8`
    allowed = [
        micro
        for micro in candidates
        if django.specifier.contains(f"{series[0]}.{series[1]}.{micro}", prereleases=True)
    ]
    return max(allowed, default=None)


def _versions(django: Requirement) -> list[str]:
    """Return the versions in the specifiers of ``django``."""
    return [each.version.removesuffix(".*") for each in django.specifier if each.operator != "==="]
