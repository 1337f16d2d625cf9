"""The verdict on a claim as a page shows it, with what its author declared."""

from typing import TYPE_CHECKING, Final

from docutils import nodes

from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.evidence.nodes import NOT_CHECKED, verdict_badge
from sphinx_djconn.ext.registry import DeclaredClaim

if TYPE_CHECKING:  # an unchanged build does not import it
    from sphinx_djconn.ext.results import Results

UNDECLARED: Final = "djconn-undeclared"
"""The CSS class of a claim, and of its badge, if the verdict is not the declared one."""


def claim_badge(claim: DeclaredClaim, results: "Results") -> nodes.inline:
    """Return the badge of ``claim``: its verdict, and whether that is the declared one."""
    verdict = results.judgement(claim.name).verdict
    if results.is_not_checked(claim.name):
        return verdict_badge("not-checked", NOT_CHECKED)
    if results.is_as_declared(claim):
        return verdict_badge(verdict, verdict if verdict is Verdict.HOLDS else f"{verdict}, as declared")
    if verdict == claim.declared:
        badge = verdict_badge(verdict, f"{verdict}, but the claim has an error")
    else:
        badge = verdict_badge(verdict, f"{verdict}, but declared {claim.declared}")
    badge["classes"].append(UNDECLARED)
    return badge
