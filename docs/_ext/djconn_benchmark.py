"""The directive of the benchmark page: tables of ``benchmark.json``, and the plot.

``djconn-benchmark`` shows the part that its argument names: ``goals``, ``figures``, ``machine`` or ``plot``.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from sphinx_djconn.evidence.nodes import table

_FIGURES: Final = "benchmark.json"
_PLOT: Final = "benchmark.svg"
_MET: Final = {True: "yes", False: "no", None: "—"}


class BenchmarkDirective(SphinxDirective):
    """``djconn-benchmark``: a part of the results of the benchmark."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part, or a remark if nothing has been measured yet."""
        path = Path(self.env.srcdir) / _FIGURES
        self.env.note_dependency(str(path))
        if not path.is_file():
            return [nodes.paragraph("", "Nothing has been measured yet.")]
        results = json.loads(path.read_text(encoding="utf-8"))
        match self.arguments[0]:
            case "goals":
                return [_goals(results)]
            case "figures":
                return list(_figures(results))
            case "machine":
                return [_machine(results)]
            case "plot":
                return self._plot()
        raise self.error(f"djconn-benchmark: there is no part `{self.arguments[0]}`")

    def _plot(self) -> list[nodes.Node]:
        """Return the picture as a part of the page, so that it has the colour of the text."""
        path = Path(self.env.srcdir) / _PLOT
        self.env.note_dependency(str(path))
        if not path.is_file():
            return []
        svg = path.read_text(encoding="utf-8").replace('class="standalone"', 'class="djconn-benchmark"')
        return [nodes.raw("", svg, format="html")]


def _goals(results: dict[str, Any]) -> nodes.Node:
    rows = []
    for row in results["rows"]:
        title = row["title"]
        for result in row["results"]:
            met = result["met"]
            shown = nodes.strong("", _MET[met]) if met is False else nodes.Text(_MET[met])
            measured = _shown(result["value"], result["unit"])
            if result["spread"] and result["spread"][0] != result["spread"][1]:
                measured += f" ({_range(*result['spread'], result['unit'])})"
            rows.append((title, result["what"], result["goal"] or "—", measured, [shown]))
            title = ""
    columns = [("What", 20), ("Figure", 30), ("Goal", 18), ("Measured", 22), ("Met", 10)]
    return table(columns, rows, "djconn-benchmark-goals")


def _figures(results: dict[str, Any]) -> Iterator[nodes.Node]:
    columns = [("Figure", 45), ("Median", 15), ("Smallest to greatest", 25), ("Measured", 15)]
    for row in results["rows"]:
        yield nodes.rubric("", row["title"])
        cells = []
        for each in row["samples"]:
            count = "once" if each["count"] == 1 else f"{each['count']} times"
            spread = "—" if each["count"] == 1 else _range(each["min"], each["max"], each["unit"])
            cells.append((each["name"], _shown(each["median"], each["unit"]), spread, count))
        yield table(columns, cells)


def _machine(results: dict[str, Any]) -> nodes.Node:
    cells = [(name, str(value)) for name, value in results["machine"].items()]
    minutes = f"{results['seconds'] / 60:.0f} minutes"
    cells += [("measured", f"{results['date']}, all of it in one run of {minutes}")]
    return table([("Fact", 40), ("Value", 60)], cells)


def _range(least: float, most: float, unit: str) -> str:
    return f"{_shown(least, '').strip()} to {_shown(most, unit)}"


def _shown(value: float, unit: str) -> str:
    """Return ``value`` with three digits that count, or all of those before the point."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(digits, 0), 3)}f} {unit}".replace("-", "\N{MINUS SIGN}")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("djconn-benchmark", BenchmarkDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
