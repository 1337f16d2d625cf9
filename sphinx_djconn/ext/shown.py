"""What pages show of the results, as digests: a page whose digest has changed is written anew."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sphinx_djconn.ext.registry import DeclaredClaim, Page
from sphinx_djconn.ext.targets import ChoiceError, chosen
from sphinx_djconn.hashing import digest

if TYPE_CHECKING:
    from sphinx_djconn.ext.results import Results


def shown_on(pages: Mapping[str, Page], results: "Results") -> dict[str, str]:
    """Return, by page, a digest of all results that it shows."""
    return {docname: _digest(page, results) for docname, page in sorted(pages.items())}


def _digest(page: Page, results: "Results") -> str:
    names = set(results.claims) if page.lists_all else {each.name for each in page.claims} | page.linked
    claims = [results.claims[name] for name in sorted(names) if name in results.claims]
    scenarios = page.shown | {use.scenario for use in page.facts}
    return digest(
        [
            {name: _stamps(name, results) for name in sorted(scenarios)},
            {claim.name: _proof(claim, results) for claim in claims},
            sorted({version for claim in claims for version in results.checked_with(claim, anywhere=True)}),
        ]
    )


def _stamps(name: str, results: "Results") -> list[str]:
    try:
        about = chosen(results.declared, name)
    except ChoiceError as error:
        return [str(error)]
    return [f"{cell.name} {results.stamp(cell.name)}" for cell in about.cells]


def _proof(claim: DeclaredClaim, results: "Results") -> list[str]:
    search = results.searches.get(claim.name)
    stamps = [results.stamp(cell.name) for cell in search.cells.values()] if search else []
    said = [
        *results.judgement(claim.name),
        results.verdict_text(claim.name),
        claim.told_in,
        claim.declared,
        claim.sentence,
    ]
    return [*said, claim.place.docname, *stamps]
