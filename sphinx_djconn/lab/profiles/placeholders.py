"""Words in braces, such as ``{port}``, that profiles contain and that each run replaces."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]*)\}")


def unknown_placeholders(words: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the names of the placeholders in ``words`` that are not among ``known``."""
    return [name for word in words for name in _PLACEHOLDER.findall(word) if name not in known]


def fill_placeholders(word: str, values: Mapping[str, str]) -> str:
    """Return ``word`` with each placeholder replaced by its value; those without a value stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), word)
