"""``djconn:scenario``: one scenario and its evidence."""

from typing import Any, ClassVar

from docutils import nodes

from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS
from sphinx_djconn.ext.directives import options
from sphinx_djconn.ext.directives.base import Option
from sphinx_djconn.ext.directives.evidence_directive import (
    VARIABLE_OPTIONS,
    EvidenceDirective,
    make_scenario,
    shared_options,
)
from sphinx_djconn.ext.placeholders import evidence_placeholder
from sphinx_djconn.ext.registry import DeclaredScenario
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario


class ScenarioDirective(EvidenceDirective[Scenario]):
    """``djconn:scenario``: runs the sequence in its body, and shows the evidence."""

    kind = "scenario"
    options_read: ClassVar[dict[str, Option]] = {
        **{name: Option(options.single(read), meaning) for name, (read, meaning) in VARIABLE_OPTIONS.items()},
        **shared_options("it", f"parts of the evidence, in order, out of {', '.join(PARTS)}"),
    }

    def parse(self, values: dict[str, Any]) -> Scenario:
        """Return the scenario."""
        return make_scenario(parse_sequence("\n".join(self.content)), values, self.config)

    def register(self, node_id: str, parsed: Scenario | None, values: dict[str, Any]) -> None:
        """Register the scenario."""
        name = self.arguments[0]
        self.page.scenarios.append(DeclaredScenario(name, self.location(), node_id, parsed, self.body_offset))

    def placeholder(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the placeholder for the evidence."""
        parts = " ".join(values.get("show", DEFAULT_PARTS))
        return evidence_placeholder(scenario=self.arguments[0], node_id=node_id, parts=parts)
