"""Which versions of Django claims were checked with, the newest first."""

from collections.abc import Iterable
from typing import Final

_MOST: Final = 4
"""How many versions are named; of more, the newest and the oldest."""


def newest_first(versions: Iterable[str]) -> list[str]:
    """Return each of ``versions`` once, the newest first; what is no version comes last."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - most builds write no list

    def age(text: str) -> tuple[bool, Version]:
        try:
            return True, Version(text)
        except InvalidVersion:
            return False, Version("0")

    return sorted({each for each in versions if each}, key=age, reverse=True)


def told(versions: Iterable[str]) -> str:
    """Return ``Checked with Django 5.2.19 and 4.2.30``; nothing where nothing was checked."""
    newest, *older = newest_first(versions) or [""]
    if not newest:
        return ""
    if len(older) >= _MOST:
        return f"Checked with Django {newest} and {len(older)} older versions, the oldest of them {older[-1]}"
    before = ", ".join([newest, *older[:-1]])
    return f"Checked with Django {before} and {older[-1]}" if older else f"Checked with Django {newest}"
