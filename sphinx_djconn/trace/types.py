"""Types of facts, which decide what a claim may compare them with."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The kinds of values, with the names that readers see."""

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
    LIST = "list"
    SET = "set"
    TUPLE = "tuple"
    NONE = "None"
    ANY = "value"


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value.

    ``items`` has one type for all items of a list or a set, and a type for each item of a tuple. A value of an
    ``is_optional`` type can be None.
    """

    kind: Kind
    items: tuple["Type", ...] = ()
    is_optional: bool = False

    @property
    def listed(self) -> "Type":
        """The type of a list of such values."""
        return Type(Kind.LIST, (self,))

    @property
    def optional(self) -> "Type":
        """The type of such a value or None."""
        return replace(self, is_optional=True)

    @property
    def required(self) -> "Type":
        """The type of such a value that is not None."""
        return replace(self, is_optional=False)

    @property
    def plural(self) -> str:
        """What several such values are called."""
        return _PLURALS.get(self.kind, f"{self.kind}s")

    def __str__(self) -> str:
        text = str(self.kind)
        if self.kind in (Kind.LIST, Kind.SET) and self.items != (ANY,):
            text += f" of {self.items[0].plural}"
        return f"{text} or None" if self.is_optional else text


_PLURALS: Final = {
    Kind.STATUS: "statuses",
    Kind.PROCESS: "processes",
    Kind.JSON: "JSON values",
    Kind.NONE: "None",
}

COUNT: Final = Type(Kind.COUNT)
NUMBER: Final = Type(Kind.NUMBER)
TEXT: Final = Type(Kind.TEXT)
TRUTH: Final = Type(Kind.TRUTH)
STATUS: Final = Type(Kind.STATUS)
THREAD: Final = Type(Kind.THREAD)
PROCESS: Final = Type(Kind.PROCESS)
GREENLET: Final = Type(Kind.GREENLET)
TASK: Final = Type(Kind.TASK)
HTTP_CONNECTION: Final = Type(Kind.HTTP_CONNECTION)
DB_CONNECTION: Final = Type(Kind.DB_CONNECTION)
JSON: Final = Type(Kind.JSON)
NONE: Final = Type(Kind.NONE)
ANY: Final = Type(Kind.ANY)
"""The type of the items of an empty list: it fits any type."""

IDENTITIES: Final = frozenset(
    {Kind.THREAD, Kind.PROCESS, Kind.GREENLET, Kind.TASK, Kind.HTTP_CONNECTION, Kind.DB_CONNECTION}
)
"""Kinds whose values can only be compared for identity."""
