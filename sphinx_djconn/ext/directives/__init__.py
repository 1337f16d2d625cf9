"""The directives. They parse the text of a page and register what it declares; nothing runs."""

from typing import Any, Final

from sphinx_djconn.ext.directives.claim import ClaimDirective, ClaimsDirective
from sphinx_djconn.ext.directives.matrix import MatrixDirective
from sphinx_djconn.ext.directives.scenario import ScenarioDirective
from sphinx_djconn.ext.directives.since import SinceDirective

DIRECTIVES: Final[dict[str, Any]] = {
    "scenario": ScenarioDirective,
    "matrix": MatrixDirective,
    "claim": ClaimDirective,
    "since": SinceDirective,
    "claims": ClaimsDirective,
}
"""The directives of the domain, by name."""
