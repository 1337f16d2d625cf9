"""How the cells of a matrix were run: their sequences, and the settings that they share or that differ."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from docutils import nodes

from sphinx_djconn.evidence.nodes import details_node, lines_block, literal, table
from sphinx_djconn.evidence.text import number, printable
from sphinx_djconn.scenario.matrix import Axis


class CellSettings(NamedTuple):
    """The values of a cell's axes, the text of its sequence, and the settings that it was run with."""

    values: tuple[str, ...]
    sequence: str
    settings: Mapping[str, str]


def run_settings(axes: Sequence[Axis], cells: Sequence[CellSettings], runs: int) -> nodes.container:
    """Return details on how ``cells`` were run, ``runs`` times each. There is at least one cell."""
    times = "once each" if runs == 1 else f"{number(runs)} times each"
    shown: list[nodes.Node] = []
    for text, which in _differing(axes, cells, [cell.sequence for cell in cells]):
        if which:
            shown.append(nodes.paragraph("", f"{which[0].upper()}{which[1:]}:"))
        shown.append(lines_block([printable(line.rstrip()) for line in text.strip("\n").splitlines()]))
    rows = []
    for name in dict.fromkeys(name for cell in cells for name in cell.settings):
        values = [cell.settings.get(name, "") for cell in cells]
        rows += [
            (printable(name), which or "all", literal(text)) for text, which in _differing(axes, cells, values)
        ]
    if rows:
        shown.append(table([("Setting", 22), ("Cells", 28), ("Value", 50)], rows, "djconn-settings"))
    return details_node(f"How it was run: {number(len(cells))} cells, {times}", *shown)


def _differing(
    axes: Sequence[Axis], cells: Sequence[CellSettings], texts: Sequence[str]
) -> list[tuple[str, str]]:
    """Return each different text with the cells that have it: ``""`` for all, else the values of one axis."""
    if len(set(texts)) == 1:
        return [(texts[0], "")]
    for position, axis in enumerate(axes):
        by_value: dict[str, set[str]] = {}
        for cell, text in zip(cells, texts, strict=True):
            by_value.setdefault(cell.values[position], set()).add(text)
        if all(len(of_value) == 1 for of_value in by_value.values()):
            values: dict[str, list[str]] = {}
            for value, of_value in by_value.items():
                values.setdefault(next(iter(of_value)), []).append(value)
            return [(text, f"{axis.name} {' or '.join(which)}") for text, which in values.items()]
    return [(text, f"{texts.count(text)} of {len(texts)}") for text in dict.fromkeys(texts)]
