"""Contradictions in the events of a run, and how they are reported."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sphinx_djconn.trace.entities import Key


class Scope(StrEnum):
    """Which facts a contradiction makes unknown."""

    PROBE = "anything that only the probe records"
    DATABASE = "database connections"
    CLIENTS = "anything in this run"


class Contradiction(NamedTuple):
    """A statement about the run that contradicts other events.

    It was found ``times`` times, first in ``step`` (0: before the first step).
    """

    text: str
    scope: Scope
    step: int
    times: int = 1

    @property
    def message(self) -> str:
        """The warning: what contradicts, in which step, what follows from it, and what to do."""
        where = f"in step {self.step}" if self.step else "before the first step"
        often = f", {self.times} times in all" if self.times > 1 else ""
        return (
            f"the run contradicts itself {where}{often}: {self.text}; facts about {self.scope} are unknown, "
            "and claims that need one cannot hold. Find out what the project does there without Django, "
            "or build again, and report it if it happens again"
        )


@dataclass
class ContradictionReport:
    """Collects contradictions. The checks set ``step`` to the number of the step that they are in.

    ``name_of`` returns the name that readers see of a ``process``, ``thread``, ``http`` or ``db`` connection.
    """

    name_of: Callable[[str, Key], str]
    step: int = 0
    _by_text: dict[str, Contradiction] = field(default_factory=dict)

    def add(self, text: str, scope: Scope) -> None:
        """Add a contradiction, or count it again if it has been added before."""
        before = self._by_text.get(text)
        self._by_text[text] = (
            Contradiction(text, scope, self.step) if before is None else before._replace(times=before.times + 1)
        )

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """The contradictions in the order in which they were first added."""
        return tuple(self._by_text.values())

    def process(self, process: int) -> str:
        """Return ``process P1`` for a serial."""
        return f"process {self.name_of('process', (process, 0))}"

    def thread(self, process: int, thread: int) -> str:
        """Return ``thread T1`` for the serials of a process and a thread in it."""
        return f"thread {self.name_of('thread', (process, thread))}"

    def db_connection(self, process: int, connection: int) -> str:
        """Return ``database connection C1`` for the serials of a process and a connection in it."""
        return f"database connection {self.name_of('db', (process, connection))}"
