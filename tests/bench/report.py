"""What the benchmark finds: samples with their spread, and results beside their goals."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

DIGITS = 5
"""Significant digits of figures in the report: more than they are accurate to."""


@dataclass(frozen=True)
class Samples:
    """What was measured of one contender, again and again, in ``unit``."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def above(self, floor: "Samples", name: str = "") -> "Samples":
        """Return what is left of each value without that of ``floor`` in the same turn."""
        pairs = zip(self.values, floor.values, strict=True)
        return Samples(name or self.name, self.unit, tuple(one - other for one, other in pairs))

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": rounded(self.median),
            "min": rounded(min(self.values)),
            "max": rounded(max(self.values)),
            "count": len(self.values),
        }


@dataclass(frozen=True)
class Result:
    """A figure and its goal: ``at_most`` or ``at_least`` so much, or none that is a figure.

    ``spread`` is the smallest and the greatest value of a turn.
    """

    what: str
    goal: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def met(self) -> bool | None:
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return self.value >= self.at_least
        return None

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "goal": self.goal,
            "value": rounded(self.value),
            "unit": self.unit,
            "spread": None if self.spread is None else [rounded(each) for each in self.spread],
            "met": self.met,
        }


@dataclass
class Row:
    """A row of the table: what is compared, what was measured, and what comes of it."""

    name: str
    title: str
    samples: list[Samples] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "results": [each.as_json() for each in self.results],
            "samples": [each.as_json() for each in self.samples],
        }


def over_turns(figures: Iterable[float]) -> tuple[float, tuple[float, float]]:
    """Return the median of the figures of turns, and the smallest and the greatest of them.

    A figure of each turn, and not of medians: what the machine did besides in a turn, it did to both.
    """
    values = tuple(figures)
    return statistics.median(values), (min(values), max(values))


def ratio(one: Samples, other: Samples) -> tuple[float, tuple[float, float]]:
    """Return how many times as much as ``other`` is ``one``, over all turns."""
    return over_turns(a / b for a, b in zip(one.values, other.values, strict=True))


def difference(one: Samples, other: Samples) -> tuple[float, tuple[float, float]]:
    """Return how much ``one`` is more than ``other``, over all turns."""
    return over_turns(one.above(other).values)


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def shown(value: float, unit: str) -> str:
    """Return ``value`` for a reader: with three digits that count, or all of those before the point."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(digits, 0), 3)}f} {unit}"


def lines(rows: Iterable[Row]) -> list[str]:
    """Return the rows as text."""
    text = []
    for row in rows:
        text += ["", row.title]
        text += [f"  {_line(each)}" for each in row.samples]
        text += [f"  → {_verdict(each)}" for each in row.results]
    return text


def _line(samples: Samples) -> str:
    least, most = (shown(each(samples.values), samples.unit) for each in (min, max))
    median = shown(samples.median, samples.unit)
    return f"{samples.name:<52} {median:>12}   ({least} to {most}, {len(samples.values)} times)"


def _verdict(result: Result) -> str:
    met = {True: "met", False: "NOT MET", None: "not a figure"}[result.met]
    spread = "" if result.spread is None else f" ({_range(result.spread, result.unit)})"
    return f"{result.what}: {shown(result.value, result.unit)}{spread}; goal: {result.goal}: {met}"


def _range(spread: Sequence[float], unit: str) -> str:
    return " to ".join(shown(each, unit) for each in spread)
