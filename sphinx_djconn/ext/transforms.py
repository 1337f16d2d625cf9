"""Turn the placeholders of a page into evidence, when the page is written."""

from typing import Any, Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from sphinx_djconn.claims import Judgement, Verdict
from sphinx_djconn.evidence import djconn_fold, failure, table, verdict_badge
from sphinx_djconn.ext import checked_with
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.nodes import (
    claims_placeholder,
    evidence_placeholder,
    fact_placeholder,
    matrix_placeholder,
    proof_placeholder,
)
from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, Place, Problem, Registry
from sphinx_djconn.ext.results import FactError, Results

_MERGING: Final = frozenset({"html", "latex", "text"})
"""Formats in which an entry of a table can take several columns."""


class NoFiguresInTitles(SphinxTransform):
    """Refuses a figure in a title: that is read, for tables of contents, before anything has run."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Leave the figure's text where a title has one, and say so."""
        registry = Registry(domain_of(self.env).data)
        for title in self.document.findall(nodes.title):
            for fact in list(title.findall(fact_placeholder)):
                place = Place(self.env.docname, str(fact.source), fact.line or 0)
                message = "a figure cannot stand in a title; write it in the text below the title"
                registry.page(self.env.docname).problems.append(
                    Problem(f"djconn:fact `{fact.astext()}`", message, place)
                )
                fact.parent.replace(fact, nodes.Text(fact.astext()))


class EvidenceTransform(SphinxPostTransform):
    """Replaces each placeholder by what the build has found out."""

    default_priority = 5  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        """Replace all placeholders of the page."""
        results: Results | None = domain_of(self.env).results
        if results is None:
            return
        results.rendered.add(self.env.docname)
        for place in list(self.document.findall(evidence_placeholder)):
            place.replace_self(self._evidence(place, results))
        for matrix in list(self.document.findall(matrix_placeholder)):
            matrix.replace_self(self._matrix(matrix, results))
        for proof in list(self.document.findall(proof_placeholder)):
            proof.replace_self(self._proof(proof, results))
        for fact in list(self.document.findall(fact_placeholder)):
            fact.replace_self(self._figure(fact, results))
        for listing in list(self.document.findall(claims_placeholder)):
            listing.replace_self(self._claims(listing, results))

    def _evidence(self, place: evidence_placeholder, results: Results) -> list[nodes.Node]:
        from sphinx_djconn.evidence import evidence  # noqa: PLC0415 - most builds write no evidence

        name = place["scenario"]
        declared = results.declared[name]
        if (declared.place.docname, declared.node_id) != (self.env.docname, place["node_id"]):
            return failure(f"The scenario {name} is declared twice; this one does not count.", ())
        absence = results.absences.get(name)
        if absence is not None:
            return failure(f"The scenario {name} has no evidence: {absence.message}.", absence.log)
        recording = results.recording(name)
        assert recording is not None
        return evidence(recording.key.scenario, recording.runs, place["parts"].split())

    def _matrix(self, place: matrix_placeholder, results: Results) -> list[nodes.Node]:
        from sphinx_djconn.ext.matrix import matrix_evidence  # noqa: PLC0415 - most builds write no evidence

        name = place["matrix"]
        declared = results.declared[name]
        own = (declared.place.docname, declared.node_id) == (self.env.docname, place["node_id"])
        if not own or not isinstance(declared, DeclaredMatrix):
            return failure(f"The matrix {name} is declared twice; this one does not count.", ())
        if not declared.cells:
            return failure(f"The matrix {name} has no evidence: what the page says of it was refused.", ())
        merged = domain_of(self.env).format in _MERGING
        return matrix_evidence(declared, results, place["parts"].split(), merged=merged)

    def _proof(self, proof: proof_placeholder, results: Results) -> list[nodes.Node]:
        """Return the verdict, what decided it, and the evidence of the change where the claim is about one."""
        claim = results.claims.get(proof["claim"])
        if claim is None or (claim.place.docname, claim.node_id) != (self.env.docname, proof["node_id"]):
            return []  # the second of two with this name, which does not count
        judgement = results.judgement(claim.name)
        search = results.searches.get(claim.name)
        found = f" {search.outcome().found}," if search is not None and search.cells else ""
        heading = nodes.paragraph("", "", classes=["djconn-fold-title"])
        heading += nodes.strong(
            "",
            "",
            verdict_badge(judgement.verdict),
            nodes.inline("", f"{found} in {claim.told_in}", classes=["djconn-where"]),
        )
        line = nodes.paragraph(classes=["djconn-reason"])
        line += [nodes.Text("In "), self._scenario_link(claim.scenario, results)]
        if claim.releases is not None:
            line += [nodes.Text(f" with Django {claim.releases.text}")]
        if claim.where is not None:
            line += [nodes.Text(" where "), nodes.literal("", claim.where)]
        line += [nodes.Text(", "), nodes.literal("", claim.expression)]
        line += [nodes.Text(f" {_runs(claim, results)}: "), *self._reason(judgement, results), nodes.Text(".")]
        folded = djconn_fold("", heading, line, classes=["djconn-fold", "djconn-proof"])
        if search is None:
            return [folded]
        from sphinx_djconn.ext.change import change_evidence  # noqa: PLC0415 - most builds write no evidence

        return [folded, *change_evidence(search, results, proof["parts"].split())]

    def _reason(self, judgement: Judgement, results: Results) -> list[nodes.Node]:
        """Return the reason, with a link to the cell that decided."""
        _, _, inside = judgement.cell.rstrip("]").partition("[")
        label = inside.replace(",", ", ")
        if not label or label not in judgement.reason or judgement.cell not in results.scenarios:
            return [nodes.Text(judgement.reason)]
        before, _, after = judgement.reason.partition(label)
        link = self._link("scenario", judgement.cell, nodes.inline("", label))
        return [nodes.Text(before), link, nodes.Text(after)]

    def _figure(self, fact: fact_placeholder, results: Results) -> list[nodes.Node]:
        try:
            figure = results.figure(fact["scenario"], fact["expression"])
        except FactError:
            return [nodes.inline("", "?", classes=["djconn-fact", "djconn-unproven"])]
        return [nodes.inline("", figure, classes=["djconn-fact"])]

    def _claims(self, listing: claims_placeholder, results: Results) -> list[nodes.Node]:
        docname = listing["docname"]
        chosen = [claim for claim in results.claims.values() if docname in ("", claim.place.docname)]
        if not chosen:
            return [nodes.paragraph("", "No page makes a claim." if not docname else "No claims.")]
        rows = [self._claim_row(claim, results) for claim in chosen]
        listed: list[nodes.Node] = [table([("Claim", 60), ("In", 22), ("Verdict", 18)], rows, "djconn-claims")]
        versions = checked_with.told(version for claim in chosen for version in results.checked_with(claim))
        return [*listed, *([nodes.paragraph("", f"{versions}.")] if versions else [])]

    def _claim_row(self, claim: DeclaredClaim, results: Results) -> list[nodes.Node | list[nodes.Node]]:
        verdict = results.judgement(claim.name).verdict
        return [
            self._link("claim", claim.name, nodes.inline("", claim.sentence)),
            self._about(claim, results),
            verdict_badge(verdict, _told(verdict, claim.declared)),
        ]

    def _about(self, claim: DeclaredClaim, results: Results) -> nodes.Node | list[nodes.Node]:
        link = self._scenario_link(claim.scenario, results)
        if claim.releases is not None:
            return [link, nodes.Text(f", Django {claim.releases.text}")]
        if claim.where is None:
            return link
        return [link, nodes.Text(" where "), nodes.literal("", claim.where)]

    def _scenario_link(self, name: str, results: Results) -> nodes.Node:
        text = nodes.inline("", name)
        matrix = name.partition("[")[0]
        target = name if name in results.scenarios else matrix
        return self._link("scenario", target, text) if matrix in results.declared else text

    def _link(self, kind: str, name: str, text: nodes.inline) -> nodes.Node:
        """Return a link that the domain resolves, as those of the page's own: it knows the builder."""
        return pending_xref(
            "",
            text,
            refdomain="djconn",
            reftype=kind,
            reftarget=name,
            refdoc=self.env.docname,
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


def _told(verdict: Verdict, declared: Verdict) -> str:
    return verdict if verdict == declared else f"{verdict} (declared: {declared})"
