"""The badge that shows the verdict on a claim."""

from docutils import nodes

from sphinx_djconn.claims import Verdict
from sphinx_djconn.evidence import NOT_CHECKED, verdict_badge
from sphinx_djconn.ext.results import Results


def claim_badge(name: str, results: Results, *, declared: Verdict | None = None) -> nodes.inline:
    """Return the verdict on the claim ``name``, with the one that is ``declared`` if it differs."""
    verdict, shown = results.judgement(name).verdict, results.verdict_text(name)
    if shown == NOT_CHECKED:
        return verdict_badge("not-checked", shown)
    return verdict_badge(verdict, shown if declared in (None, verdict) else f"{shown} (declared: {declared})")
