"""``djconn:matrix``: scenarios that differ in some options, and one table of their facts."""

import math
from typing import Any, ClassVar, Final, NamedTuple

from docutils import nodes

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.evidence.matrix_table import DEFAULT_FACTS
from sphinx_djconn.evidence.parts import PARTS
from sphinx_djconn.ext.directives import options
from sphinx_djconn.ext.directives.base import Option, OptionError
from sphinx_djconn.ext.directives.evidence_directive import (
    VARIABLE_OPTIONS,
    EvidenceDirective,
    make_scenario,
    shared_options,
)
from sphinx_djconn.ext.expressions import figure_expression
from sphinx_djconn.ext.placeholders import matrix_placeholder
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario
from sphinx_djconn.scenario.matrix import SEQUENCE, Axis, Cell, cell_label, expand
from sphinx_djconn.scenario.model import Scenario, Sequence
from sphinx_djconn.scenario.titled_sequences import parse_sequences

_CELLS_MOST: Final = 1000


class _ParsedMatrix(NamedTuple):
    axes: tuple[Axis, ...]
    facts: tuple[str, ...]
    cells: tuple[Cell, ...]


class MatrixDirective(EvidenceDirective[_ParsedMatrix]):
    """``djconn:matrix``: the same sequences in all combinations of what varies, in one table."""

    kind = "matrix"
    options_read: ClassVar[dict[str, Option]] = {
        **{
            name: Option(options.several(read), f"{meaning}; a list is an axis")
            for name, (read, meaning) in VARIABLE_OPTIONS.items()
        },
        "facts": Option(
            options.facts,
            f"the facts of each cell in the table; ``{', '.join(DEFAULT_FACTS)}`` by default",
        ),
        **shared_options(
            "each cell",
            f"parts of the evidence of each cell, folded below the table, out of {', '.join(PARTS)}; "
            "none by default",
        ),
    }

    def parse(self, values: dict[str, Any]) -> _ParsedMatrix:
        """Return the axes, the facts, and a cell for each combination of values."""
        lists = {name: value for name, value in values.items() if isinstance(value, options.Several)}
        axes = [Axis(name, values[name].values) for name in self.options if name in lists]
        parsed = parse_sequences(list(self.content))
        sequences = {"": parsed} if isinstance(parsed, Sequence) else parsed
        if not isinstance(parsed, Sequence):
            axes.append(Axis(SEQUENCE, tuple(parsed)))
        if not axes:
            raise ValueError(
                "nothing varies in it: give an option a list, as in `:conn-max-age: none, 0`, or give "
                "sequences titles; for one scenario use djconn:scenario"
            )
        count = math.prod(len(axis.values) for axis in axes)
        if count > _CELLS_MOST:
            product = " x ".join(f"{len(axis.values)} of `{axis.name}`" for axis in axes)
            raise ValueError(f"{count:,} cells ({product}) are more than {_CELLS_MOST:,}; split the matrix")
        facts = values.get("facts", DEFAULT_FACTS)
        fixed = {name: value for name, value in values.items() if name not in lists}
        base, *_ = scenarios = [make_scenario(sequence, fixed, self.config) for sequence in sequences.values()]
        self._check_facts(facts, scenarios)
        return _ParsedMatrix(tuple(axes), facts, tuple(expand(base, axes, sequences)))

    def _check_facts(self, facts: tuple[str, ...], scenarios: list[Scenario]) -> None:
        """Raise :class:`OptionError` for a fact that no cell has. A fact of a label may be missing in some."""
        for fact in facts:
            errors = []
            for scenario in scenarios:
                try:
                    figure_expression(fact, scenario)
                except ExpressionError as error:
                    errors.append(error)
            if len(errors) == len(scenarios):
                raise OptionError(f"option `:facts:`: {errors[0]}", self.line_of("facts"))

    def register(self, node_id: str, parsed: _ParsedMatrix | None, values: dict[str, Any]) -> None:
        """Register the matrix and its cells. Each cell has an id in the table, for links."""
        name, cells = self.arguments[0], []
        axes, facts, expanded = parsed or _ParsedMatrix((), (), ())
        for cell in expanded:
            label = cell_label(axes, cell.values, ",")
            cell_id = node_id if values.get("hidden") else self.anchor(node_id, label)["ids"][0]
            cells.append(
                DeclaredScenario(
                    f"{name}[{label}]",
                    self.location(),
                    cell_id,
                    cell.scenario,
                    self.body_offset,
                    name,
                    cell.values,
                )
            )
        self.page.scenarios.append(DeclaredMatrix(name, self.location(), node_id, axes, facts, tuple(cells)))

    def placeholder(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the placeholder for the table."""
        parts = " ".join(values.get("show", ()))
        return matrix_placeholder(matrix=self.arguments[0], node_id=node_id, parts=parts)
