"""Replaces the placeholders of a page with evidence, verdicts and figures."""

from collections.abc import Callable
from functools import partial
from typing import Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.environment import BuildEnvironment

from sphinx_djconn.claims.judgement import Judgement
from sphinx_djconn.evidence.details_node import djconn_details
from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.nodes import NOT_CHECKED, table
from sphinx_djconn.evidence.parts import evidence
from sphinx_djconn.ext.badges import UNDECLARED, claim_badge
from sphinx_djconn.ext.django_versions import checked_with_text
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.figure_lookup import FigureError
from sphinx_djconn.ext.latex import escape_for_pdflatex
from sphinx_djconn.ext.matrix_evidence import matrix_evidence
from sphinx_djconn.ext.messages import warn
from sphinx_djconn.ext.placeholders import (
    claims_placeholder,
    evidence_placeholder,
    fact_placeholder,
    matrix_placeholder,
    proof_placeholder,
)
from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, DeclaredScenario
from sphinx_djconn.ext.release_evidence import release_evidence
from sphinx_djconn.ext.results import Results

_MERGING: Final = frozenset({"html", "latex", "text"})
"""Formats in which an entry of a table can take several columns."""


class Rendering:
    """Replaces the placeholders of the pages of ``env`` with ``results``."""

    def __init__(self, env: BuildEnvironment, results: Results) -> None:
        self._env = env
        self._results = results

    def render(self, document: nodes.document) -> None:
        """Replace all placeholders of ``document``, the page that Sphinx writes now."""
        self._results.rendered.add(self._env.docname)
        for scenario in list(document.findall(evidence_placeholder)):
            name = scenario["scenario"]
            scenario.replace_self(self._safely(name, partial(self._evidence, name, scenario)))
        for matrix in list(document.findall(matrix_placeholder)):
            name = matrix["matrix"]
            matrix.replace_self(self._safely(name, partial(self._matrix, name, matrix)))
        for proof in list(document.findall(proof_placeholder)):
            proof.replace_self(self._safely(proof["claim"], partial(self._proof, proof)))
        for fact in list(document.findall(fact_placeholder)):
            fact.replace_self(self._figure(fact))
        for listing in list(document.findall(claims_placeholder)):
            listing.replace_self(self._claims(listing))

    def _safely(self, name: str, render: Callable[[], list[nodes.Node]]) -> list[nodes.Node]:
        """Return what ``render`` returns; an unexpected exception becomes a failure of ``name`` alone."""
        unreadable = len(self._results.recordings.unreadable)
        try:
            shown = render()
            complete = len(self._results.recordings.unreadable) == unreadable
        except Exception as error:  # noqa: BLE001 - concerns one placeholder
            message = self._results.recordings.bug_reports.message(error, "its evidence was shown", name)
            warn(f"djconn `{name}`", message, "run", self._env.docname)
            self._results.stamp = None
            shown = failure(f"The evidence of {name} cannot be shown: {message}.", ())
            complete = False
        if domain_of(self._env).output_format == "latex" and self._env.config.latex_engine == "pdflatex":
            escape_for_pdflatex(shown)
        if not complete:
            self._results.rendered.discard(self._env.docname)  # so that the next build writes it again
        return shown

    def _is_first(self, declared: DeclaredScenario | DeclaredMatrix, placeholder: nodes.Element) -> bool:
        """Return whether ``placeholder`` belongs to ``declared``, and not to a second one of the same name."""
        own = (self._env.docname, placeholder["node_id"])
        return (declared.location.docname, declared.node_id) == own

    def _evidence(self, name: str, placeholder: evidence_placeholder) -> list[nodes.Node]:
        if not self._is_first(self._results.declarations[name], placeholder):
            return failure(f"The scenario {name} is declared twice; this one does not count.", ())
        recording = self._results.recordings.recording(name)
        if recording is None:
            missing = self._results.recordings.missing[name]
            accepted = self._results.is_accepted(missing)
            why = f"is {NOT_CHECKED}" if accepted else "has no evidence"
            return failure(f"The scenario {name} {why}: {missing.message}.", missing.log, accepted=accepted)
        return evidence(recording.key.scenario, recording.runs, placeholder["parts"].split())

    def _matrix(self, name: str, placeholder: matrix_placeholder) -> list[nodes.Node]:
        declared = self._results.declarations[name]
        if not isinstance(declared, DeclaredMatrix) or not self._is_first(declared, placeholder):
            return failure(f"The matrix {name} is declared twice; this one does not count.", ())
        if not declared.cells:
            return failure(f"The matrix {name} has no evidence: its directive has an error.", ())
        merged = domain_of(self._env).output_format in _MERGING
        return matrix_evidence(declared, self._results, placeholder["parts"].split(), merged=merged)

    def _proof(self, proof: proof_placeholder) -> list[nodes.Node]:
        """Return the verdict, what decided it, and for a claim about releases the evidence of the change."""
        claim = self._results.claims.get(proof["claim"])
        if claim is None or (claim.location.docname, claim.node_id) != (self._env.docname, proof["node_id"]):
            return []  # the second of two with this name, which does not count
        judgement = self._results.judgement(claim.name)
        search = self._results.searches.get(claim.name)
        release = f" {search.outcome().summary}," if search is not None and search.cells else ""
        heading = nodes.paragraph("", "", classes=["djconn-fold-title"])
        badge = claim_badge(claim, self._results)
        if UNDECLARED in badge["classes"]:
            proof.parent["classes"].append(UNDECLARED)
        comma = "," if not release and "," in badge.astext() else ""
        where = nodes.inline("", f"{comma}{release} in {claim.target_text}", classes=["djconn-where"])
        heading += nodes.strong("", "", badge, where)
        line = nodes.paragraph(classes=["djconn-reason"])
        line += [nodes.Text("In "), self._scenario_link(claim.target)]
        if claim.releases is not None:
            line += [nodes.Text(f" with Django {claim.releases.text}")]
        if claim.where is not None:
            line += [nodes.Text(" where "), nodes.literal("", claim.where)]
        line += [nodes.Text(", "), nodes.literal("", claim.expression)]
        line += [nodes.Text(f" {_runs(claim, self._results)}: "), *self._reason(judgement), nodes.Text(".")]
        folded = djconn_details("", heading, line, classes=["djconn-fold", "djconn-proof"])
        if search is None:
            return [folded]
        return [folded, *release_evidence(search, self._results, proof["parts"].split())]

    def _reason(self, judgement: Judgement) -> list[nodes.Node]:
        """Return the reason, with a link to the cell that decided it."""
        _, _, inside = judgement.cell.rstrip("]").partition("[")
        label = inside.replace(",", ", ")
        if not label or label not in judgement.reason or judgement.cell not in self._results.scenarios:
            return [nodes.Text(judgement.reason)]
        before, _, after = judgement.reason.partition(label)
        link = self._link("scenario", judgement.cell, nodes.inline("", label))
        return [nodes.Text(before), link, nodes.Text(after)]

    def _figure(self, fact: fact_placeholder) -> list[nodes.Node]:
        try:
            figure = self._results.figures.figure(fact["target"], fact["expression"])
        except FigureError as error:
            if error.not_installed and self._results.accept_missing:
                return [nodes.inline("", f"[{NOT_CHECKED}]", classes=["djconn-fact", "djconn-not-checked"])]
            return [nodes.inline("", "?", classes=["djconn-fact", "djconn-unproven"])]
        return [nodes.inline("", figure, classes=["djconn-fact"])]

    def _claims(self, listing: claims_placeholder) -> list[nodes.Node]:
        docname = listing["docname"]
        claims = [claim for claim in self._results.claims.values() if docname in ("", claim.location.docname)]
        if not claims:
            return [nodes.paragraph("", "No page makes a claim." if not docname else "No claims.")]
        rows = [self._claim_row(claim) for claim in claims]
        shown: list[nodes.Node] = [table([("Claim", 60), ("In", 22), ("Verdict", 18)], rows, "djconn-claims")]
        versions = checked_with_text(
            version for claim in claims for version in self._results.checked_with(claim)
        )
        return [*shown, *([nodes.paragraph("", f"{versions}.")] if versions else [])]

    def _claim_row(self, claim: DeclaredClaim) -> list[nodes.Node | list[nodes.Node]]:
        badge = claim_badge(claim, self._results)
        return [
            self._link("claim", claim.name, nodes.inline("", claim.sentence)),
            self._about(claim),
            nodes.strong("", "", badge) if UNDECLARED in badge["classes"] else badge,
        ]

    def _about(self, claim: DeclaredClaim) -> nodes.Node | list[nodes.Node]:
        link = self._scenario_link(claim.target)
        if claim.releases is not None:
            return [link, nodes.Text(f", Django {claim.releases.text}")]
        if claim.where is None:
            return link
        return [link, nodes.Text(" where "), nodes.literal("", claim.where)]

    def _scenario_link(self, name: str) -> nodes.Node:
        text = nodes.inline("", name)
        matrix = name.partition("[")[0]
        target = name if name in self._results.scenarios else matrix
        return self._link("scenario", target, text) if matrix in self._results.declarations else text

    def _link(self, kind: str, name: str, text: nodes.inline) -> nodes.Node:
        """Return a link that the domain resolves like one of the page's own."""
        return pending_xref(
            "",
            text,
            refdomain="djconn",
            reftype=kind,
            reftarget=name,
            refdoc=self._env.docname,
            refwarn=False,
            bare=True,
        )


def _runs(claim: DeclaredClaim, results: Results) -> str:
    runs = "in every run" if claim.expect else "in at least one run"
    if claim.releases is not None:
        return f"{runs} of a release"
    if claim.target in results.scenarios:
        return runs
    return f"{runs} of {'every' if claim.expect else 'at least one'} cell"
