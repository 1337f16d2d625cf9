"""Types of facts: what an expression may compare a fact with."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self


class Kind(StrEnum):
    """The kinds of values, by the names that readers see."""

    COUNT = "count"
    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    STATUS = "status"
    THREAD = "thread"
    PROCESS = "process"
    GREENLET = "greenlet"
    TASK = "task"
    HTTP_CONNECTION = "HTTP connection"
    DB_CONNECTION = "database connection"
    JSON = "JSON"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value: its kind, or that of the items if it is a list.

    A value of an ``is_optional`` type is None if there was none.
    """

    kind: Kind
    is_list: bool = False
    is_optional: bool = False

    @property
    def listed(self) -> Self:
        """The type of a list of such values."""
        return replace(self, is_list=True)

    @property
    def optional(self) -> Self:
        """The type of such a value or None."""
        return replace(self, is_optional=True)

    def __str__(self) -> str:
        text = f"list of {_PLURALS.get(self.kind, f'{self.kind}s')}" if self.is_list else str(self.kind)
        return f"{text} or None" if self.is_optional else text


_PLURALS: Final = {
    Kind.STATUS: "statuses",
    Kind.PROCESS: "processes",
    Kind.JSON: "JSON values",
    Kind.NONE: "None",
}

COUNT: Final = Type(Kind.COUNT)
TEXT: Final = Type(Kind.TEXT)
STATUS: Final = Type(Kind.STATUS)
THREAD: Final = Type(Kind.THREAD)
PROCESS: Final = Type(Kind.PROCESS)
GREENLET: Final = Type(Kind.GREENLET)
TASK: Final = Type(Kind.TASK)
HTTP_CONNECTION: Final = Type(Kind.HTTP_CONNECTION)
DB_CONNECTION: Final = Type(Kind.DB_CONNECTION)
JSON: Final = Type(Kind.JSON)
