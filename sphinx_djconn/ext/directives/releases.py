"""The options of ``djconn:since``: each function reads one, and raises ``ValueError`` with what to do."""

import re
from collections.abc import Sequence
from typing import Final

from sphinx_djconn.claims.bisect import Direction
from sphinx_djconn.ext.directives import options
from sphinx_djconn.lab.environments.django_releases import Release, parse_release, releases_between

_RANGE: Final = re.compile(r"(\S+)\s+to\s+(\S+)")
_ENVIRONMENT: Final = re.compile(r"[\w.+-]+")


def row(text: str | None) -> tuple[Release, ...]:
    """Return the releases of a list with commas, in which ``2.0 to 3.2`` stands for all of them."""
    found: list[Release] = []
    for part in options.word(text).split(","):
        item = " ".join(part.split())
        if not item:
            raise ValueError(f"`{text}` has an empty value; write releases with commas between them")
        ends = _RANGE.fullmatch(item)
        for release in releases_between(ends[1], ends[2]) if ends else [_one(item)]:
            _follow(found, release)
            found.append(release)
    if len(found) == 1:
        raise ValueError(
            f"{found[0].name} is one release, and nothing can change in one; name several, or use djconn:claim"
        )
    return tuple(found)


def _one(text: str) -> Release:
    if not _ENVIRONMENT.fullmatch(text):
        raise ValueError(f"`{text}` is no release; write a list, as in `2.1.3, 2.1.4, 4.2`, or `2.0 to 3.2`")
    return parse_release(text) or Release(text, text)


def _follow(earlier: Sequence[Release], release: Release) -> None:
    """Raise where ``release`` cannot come after those that are ``earlier`` in the list."""
    if any(each.environment == release.environment for each in earlier):
        raise ValueError(f"{release.name} is in the list twice; remove one of them")
    newest = next((each for each in reversed(earlier) if each.order), None)
    if newest is not None and release.order and release.order < newest.order:
        raise ValueError(
            f"{release.name} stands after {newest.name}; write the releases from the oldest to the newest"
        )


def release(text: str | None) -> str:
    """Return the name of a release; nothing where it is to be found."""
    return (text or "").strip()


def declared(releases: Sequence[Release], direction: Direction, name: str) -> int | None:
    """Return the position of the first release after the change, where ``name`` is declared to be at it."""
    if not name:
        return None
    names = (name, f"django-{name}", f"django-{name}.0")
    found = next((n for n, each in enumerate(releases) if each.name == name or each.environment in names), None)
    if found is None:
        raise ValueError(options.unknown("release of `:releases:`", name, [each.name for each in releases]))
    if direction is Direction.SINCE:
        if found == 0:
            raise ValueError(
                f"{name} is the first of the releases, so that nothing could refute it; name an older one in "
                "`:releases:`, in which it is not true yet"
            )
        return found
    if found == len(releases) - 1:
        raise ValueError(
            f"{name} is the last of the releases, so that nothing could refute it; name a newer one in "
            "`:releases:`, in which it is not true any more"
        )
    return found + 1


def parts(text: str | None) -> tuple[str, ...]:
    """Return the parts of the evidence to show, ``none`` of them where it says so."""
    return () if options.word(text) == "none" else options.parts(text)
