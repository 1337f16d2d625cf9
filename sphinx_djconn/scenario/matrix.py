"""The cells of a matrix: a scenario for each combination of the values of its axes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.scenario.model import Sequence as Steps

AxisValue: TypeAlias = str | float | bool | None

SEQUENCE: Final = "sequence"
"""The name of the axis of titled sequences."""


@dataclass(frozen=True)
class Axis:
    """An option that varies, by its name (``conn-max-age``), and its values."""

    name: str
    values: tuple[AxisValue, ...]

    @property
    def identifier(self) -> str:
        """The name in expressions, and of the field of :class:`Scenario`: ``conn_max_age``."""
        return self.name.replace("-", "_")

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as they are written in options: ``none``, ``0``, ``true``, ``runserver``."""
        return tuple(map(axis_text, self.values))


def axis_text(value: AxisValue) -> str:
    """Return ``value`` as it is written in an option: ``none``, ``0``, ``true``, ``runserver``."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


class Cell(NamedTuple):
    """A scenario, with its values on the axes."""

    values: tuple[AxisValue, ...]
    scenario: Scenario


def cell_label(axes: Sequence[Axis], values: Sequence[AxisValue], between: str = ", ") -> str:
    """Return the label of a cell: ``server=runserver, conn-max-age=0``."""
    pairs = zip(axes, values, strict=True)
    return between.join(f"{axis.name}={axis_text(value)}" for axis, value in pairs)


def expand(base: Scenario, axes: Sequence[Axis], sequences: Mapping[str, Steps]) -> Iterator[Cell]:
    """Yield a cell for each combination of values; ``sequences`` maps titles to sequences."""
    for values in product(*(axis.values for axis in axes)):
        fields: dict[str, Any] = {axis.identifier: value for axis, value in zip(axes, values, strict=True)}
        if SEQUENCE in fields:
            fields[SEQUENCE] = sequences[fields[SEQUENCE]]
        yield Cell(values, replace(base, **fields))
