"""What a page shows of the results: evidence, verdicts and figures in the place of its placeholders."""

from collections.abc import Callable
from functools import partial
from typing import Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.environment import BuildEnvironment

from sphinx_djconn.claims.verdict import Judgement
from sphinx_djconn.evidence.details_node import djconn_fold
from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.nodes import NOT_CHECKED, table
from sphinx_djconn.ext import django_versions as checked_with
from sphinx_djconn.ext.badges import UNDECLARED, claim_badge
from sphinx_djconn.ext.bugs import warn
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.latex import spell
from sphinx_djconn.ext.placeholders import (
    claims_placeholder,
    evidence_placeholder,
    fact_placeholder,
    matrix_placeholder,
    proof_placeholder,
)
from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix
from sphinx_djconn.ext.results import FactError, Results

_MERGING: Final = frozenset({"html", "latex", "text"})
"""Formats in which an entry of a table can take several columns."""


class Rendering:
    """Replaces each placeholder of a page of ``env`` by what the build has found out."""

    def __init__(self, env: BuildEnvironment, results: Results) -> None:
        self._env = env
        self._results = results

    def render(self, document: nodes.document) -> None:
        """Replace all placeholders of ``document``, the page that the env reads or writes now."""
        self._results.rendered.add(self._env.docname)
        for place in list(document.findall(evidence_placeholder)):
            place.replace_self(self._safely(place["scenario"], partial(self._evidence, place)))
        for matrix in list(document.findall(matrix_placeholder)):
            matrix.replace_self(self._safely(matrix["matrix"], partial(self._matrix, matrix)))
        for proof in list(document.findall(proof_placeholder)):
            proof.replace_self(self._safely(proof["claim"], partial(self._proof, proof)))
        for fact in list(document.findall(fact_placeholder)):
            fact.replace_self(self._figure(fact))
        for listing in list(document.findall(claims_placeholder)):
            listing.replace_self(self._claims(listing))

    def _safely(self, name: str, made: Callable[[], list[nodes.Node]]) -> list[nodes.Node]:
        """Return what ``made`` returns; what is unexpected in it concerns ``name`` alone, and is said there."""
        lost = len(self._results.lost)
        try:
            found = made()
        except Exception as error:  # noqa: BLE001 - one placeholder's trouble
            message = self._results.bugs.message(error, "its evidence was shown", name)
            warn(f"djconn `{name}`", message, "run", self._env.docname)
            self._results.seal = None
            lost = -1
            found = failure(f"The evidence of {name} cannot be shown: {message}.", ())
        if domain_of(self._env).format == "latex" and self._env.config.latex_engine == "pdflatex":
            spell(found)
        if len(self._results.lost) != lost:
            self._results.rendered.discard(self._env.docname)  # so that the next build writes it again
        return found

    def _evidence(self, place: evidence_placeholder) -> list[nodes.Node]:
        from sphinx_djconn.evidence.parts import evidence  # noqa: PLC0415 - most builds write no evidence

        name = place["scenario"]
        declared = self._results.declared[name]
        if (declared.place.docname, declared.node_id) != (self._env.docname, place["node_id"]):
            return failure(f"The scenario {name} is declared twice; this one does not count.", ())
        absence = self._results.absences.get(name)
        if absence is not None:
            accepted = self._results.accepts(absence)
            why = f"is {NOT_CHECKED}" if accepted else "has no evidence"
            return failure(f"The scenario {name} {why}: {absence.message}.", absence.log, accepted=accepted)
        recording = self._results.recording(name)
        if recording is None:
            return failure(f"The scenario {name} has no evidence: {self._results.absences[name].message}.", ())
        return evidence(recording.key.scenario, recording.runs, place["parts"].split())

    def _matrix(self, place: matrix_placeholder) -> list[nodes.Node]:
        from sphinx_djconn.ext.matrix_evidence import matrix_evidence  # noqa: PLC0415 - most builds write no evidence

        name = place["matrix"]
        declared = self._results.declared[name]
        own = (declared.place.docname, declared.node_id) == (self._env.docname, place["node_id"])
        if not own or not isinstance(declared, DeclaredMatrix):
            return failure(f"The matrix {name} is declared twice; this one does not count.", ())
        if not declared.cells:
            return failure(f"The matrix {name} has no evidence: what the page says of it was refused.", ())
        merged = domain_of(self._env).format in _MERGING
        return matrix_evidence(declared, self._results, place["parts"].split(), merged=merged)

    def _proof(self, proof: proof_placeholder) -> list[nodes.Node]:
        """Return the verdict, what decided it, and the evidence of the change where the claim is about one."""
        claim = self._results.claims.get(proof["claim"])
        if claim is None or (claim.place.docname, claim.node_id) != (self._env.docname, proof["node_id"]):
            return []  # the second of two with this name, which does not count
        judgement = self._results.judgement(claim.name)
        search = self._results.searches.get(claim.name)
        found = f" {search.outcome().summary}," if search is not None and search.cells else ""
        heading = nodes.paragraph("", "", classes=["djconn-fold-title"])
        badge = claim_badge(claim, self._results)
        if UNDECLARED in badge["classes"]:
            proof.parent["classes"].append(UNDECLARED)
        comma = "," if not found and "," in badge.astext() else ""
        where = nodes.inline("", f"{comma}{found} in {claim.told_in}", classes=["djconn-where"])
        heading += nodes.strong("", "", badge, where)
        line = nodes.paragraph(classes=["djconn-reason"])
        line += [nodes.Text("In "), self._scenario_link(claim.scenario)]
        if claim.releases is not None:
            line += [nodes.Text(f" with Django {claim.releases.text}")]
        if claim.where is not None:
            line += [nodes.Text(" where "), nodes.literal("", claim.where)]
        line += [nodes.Text(", "), nodes.literal("", claim.expression)]
        line += [nodes.Text(f" {_runs(claim, self._results)}: "), *self._reason(judgement), nodes.Text(".")]
        folded = djconn_fold("", heading, line, classes=["djconn-fold", "djconn-proof"])
        if search is None:
            return [folded]
        from sphinx_djconn.ext.release_evidence import change_evidence  # noqa: PLC0415 - most builds write no evidence

        return [folded, *change_evidence(search, self._results, proof["parts"].split())]

    def _reason(self, judgement: Judgement) -> list[nodes.Node]:
        """Return the reason, with a link to the cell that decided."""
        _, _, inside = judgement.cell.rstrip("]").partition("[")
        label = inside.replace(",", ", ")
        if not label or label not in judgement.reason or judgement.cell not in self._results.scenarios:
            return [nodes.Text(judgement.reason)]
        before, _, after = judgement.reason.partition(label)
        link = self._link("scenario", judgement.cell, nodes.inline("", label))
        return [nodes.Text(before), link, nodes.Text(after)]

    def _figure(self, fact: fact_placeholder) -> list[nodes.Node]:
        try:
            figure = self._results.figure(fact["scenario"], fact["expression"])
        except FactError as error:
            if error.absent and self._results.accepts_absence:
                return [nodes.inline("", f"[{NOT_CHECKED}]", classes=["djconn-fact", "djconn-not-checked"])]
            return [nodes.inline("", "?", classes=["djconn-fact", "djconn-unproven"])]
        return [nodes.inline("", figure, classes=["djconn-fact"])]

    def _claims(self, listing: claims_placeholder) -> list[nodes.Node]:
        docname = listing["docname"]
        chosen = [claim for claim in self._results.claims.values() if docname in ("", claim.place.docname)]
        if not chosen:
            return [nodes.paragraph("", "No page makes a claim." if not docname else "No claims.")]
        rows = [self._claim_row(claim) for claim in chosen]
        listed: list[nodes.Node] = [table([("Claim", 60), ("In", 22), ("Verdict", 18)], rows, "djconn-claims")]
        versions = checked_with.told(
            version for claim in chosen for version in self._results.checked_with(claim)
        )
        return [*listed, *([nodes.paragraph("", f"{versions}.")] if versions else [])]

    def _claim_row(self, claim: DeclaredClaim) -> list[nodes.Node | list[nodes.Node]]:
        badge = claim_badge(claim, self._results)
        return [
            self._link("claim", claim.name, nodes.inline("", claim.sentence)),
            self._about(claim),
            nodes.strong("", "", badge) if UNDECLARED in badge["classes"] else badge,
        ]

    def _about(self, claim: DeclaredClaim) -> nodes.Node | list[nodes.Node]:
        link = self._scenario_link(claim.scenario)
        if claim.releases is not None:
            return [link, nodes.Text(f", Django {claim.releases.text}")]
        if claim.where is None:
            return link
        return [link, nodes.Text(" where "), nodes.literal("", claim.where)]

    def _scenario_link(self, name: str) -> nodes.Node:
        text = nodes.inline("", name)
        matrix = name.partition("[")[0]
        target = name if name in self._results.scenarios else matrix
        return self._link("scenario", target, text) if matrix in self._results.declared else text

    def _link(self, kind: str, name: str, text: nodes.inline) -> nodes.Node:
        """Return a link that the domain resolves, as those of the page's own: it knows the builder."""
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
    if claim.scenario in results.scenarios:
        return runs
    return f"{runs} of {'every' if claim.expect else 'at least one'} cell"
