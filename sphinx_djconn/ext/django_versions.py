"""The versions of Django with which claims were checked, newest first."""

from collections.abc import Iterable
from typing import Final

from packaging.version import InvalidVersion, Version

_NAMED_MOST: Final = 4
"""How many versions are named; of more, only the newest and the oldest."""


def newest_first(versions: Iterable[str]) -> list[str]:
    """Return the different ``versions``, newest first; invalid ones are last, empty ones are left out."""

    def sort_key(text: str) -> tuple[bool, Version]:
        try:
            return True, Version(text)
        except InvalidVersion:
            return False, Version("0")

    return sorted({version for version in versions if version}, key=sort_key, reverse=True)


def checked_with_text(versions: Iterable[str]) -> str:
    """Return ``Checked with Django 5.2.19 and 4.2.30``; an empty text if there are no versions."""
    newest, *older = newest_first(versions) or [""]
    if not newest:
        return ""
    if len(older) >= _NAMED_MOST:
        return f"Checked with Django {newest} and {len(older)} older versions, the oldest of them {older[-1]}"
    first = ", ".join([newest, *older[:-1]])
    return f"Checked with Django {first} and {older[-1]}" if older else f"Checked with Django {newest}"
