"""What pages declare, as the environment keeps it: unread, until somebody asks for it."""

import pickle
from typing import Any, TypeAlias

Object: TypeAlias = tuple[str, str, str, str, str, int]
"""What a domain has, as :meth:`~sphinx.domains.Domain.get_objects` yields it."""


class PickledDeclarations:
    """The declarations of all pages as bytes: a build in which no page has changed reads none of them.

    ``objects`` are what even such a build lists.
    """

    __slots__ = ("content", "objects")

    def __init__(self, content: bytes, objects: tuple[Object, ...]) -> None:
        self.content = content
        self.objects = objects

    def unpacked(self) -> Any:
        """Return the declarations."""
        return pickle.loads(self.content)  # noqa: S301 - it comes out of Sphinx's own
