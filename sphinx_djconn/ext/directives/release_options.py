"""The options of ``djconn:since``. Each function reads one; its ``ValueError`` says what to write instead."""

import re
from collections.abc import Sequence
from typing import Final

from sphinx_djconn.claims.bisect import Direction
from sphinx_djconn.ext.directives import options
from sphinx_djconn.ext.messages import unknown
from sphinx_djconn.lab.environments.django_releases import Release, parse_release, releases_between

_RANGE: Final = re.compile(r"(\S+)\s+to\s+(\S+)")
_ENVIRONMENT: Final = re.compile(r"[\w.+-]+")


def releases(text: str | None) -> tuple[Release, ...]:
    """Return the releases of a list with commas, in which ``2.0 to 3.2`` stands for all between."""
    listed: list[Release] = []
    for part in options.word(text).split(","):
        item = " ".join(part.split())
        if not item:
            raise ValueError(f"`{text}` has an empty value; write releases with commas between them")
        ends = _RANGE.fullmatch(item)
        for release in releases_between(ends[1], ends[2]) if ends else [_one(item)]:
            _check_order(listed, release)
            listed.append(release)
    if len(listed) == 1:
        raise ValueError(
            f"{listed[0].name} is one release, and nothing can change in one; name several, or use djconn:claim"
        )
    return tuple(listed)


def _one(text: str) -> Release:
    if not _ENVIRONMENT.fullmatch(text):
        raise ValueError(f"`{text}` is no release; write a list, as in `2.1.3, 2.1.4, 4.2`, or `2.0 to 3.2`")
    return parse_release(text) or Release(text, text)


def _check_order(earlier: Sequence[Release], release: Release) -> None:
    """Raise ``ValueError`` if ``release`` is in ``earlier``, or older than the newest of them."""
    if any(other.environment == release.environment for other in earlier):
        raise ValueError(f"{release.name} is in the list twice; remove one of them")
    newest = next((other for other in reversed(earlier) if other.order), None)
    if newest is not None and release.order and release.order < newest.order:
        raise ValueError(
            f"{release.name} stands after {newest.name}; write the releases from the oldest to the newest"
        )


def release(text: str | None) -> str:
    """Return the name of a release; an empty text if the check has to find it."""
    return (text or "").strip()


def declared_position(releases: Sequence[Release], direction: Direction, name: str) -> int | None:
    """Return the position of the first release after the declared change, or ``None`` without ``name``."""
    if not name:
        return None
    names = (name, f"django-{name}", f"django-{name}.0")
    positions = (n for n, item in enumerate(releases) if item.name == name or item.environment in names)
    position = next(positions, None)
    if position is None:
        raise ValueError(unknown("release of `:releases:`", name, [item.name for item in releases]))
    if direction is Direction.SINCE:
        if position == 0:
            raise ValueError(
                f"{name} is the first of the releases, so that nothing could refute it; name an older one in "
                "`:releases:`, in which it is not true yet"
            )
        return position
    if position == len(releases) - 1:
        raise ValueError(
            f"{name} is the last of the releases, so that nothing could refute it; name a newer one in "
            "`:releases:`, in which it is not true any more"
        )
    return position + 1


def parts(text: str | None) -> tuple[str, ...]:
    """Return the parts of the evidence to show; none for the text ``none``."""
    return () if options.word(text) == "none" else options.parts(text)
