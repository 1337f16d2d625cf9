"""The claims and failures of a build, as the reports show them."""

from collections.abc import Iterator
from typing import NamedTuple

from sphinx_djconn.claims.judgement import Judgement
from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.ext.django_versions import newest_first
from sphinx_djconn.ext.registry import DeclaredClaim, SourceLocation
from sphinx_djconn.ext.results import Results


class CheckedClaim(NamedTuple):
    """A claim with its verdict. A claim that is ``not_checked`` has not failed."""

    claim: DeclaredClaim
    judgement: Judgement
    verdict: str
    failed: bool
    not_checked: bool
    subtype: str
    djangos: list[str]

    @property
    def line(self) -> str:
        """A line of text."""
        claim = self.claim
        declared = f", declared {claim.declared}" if self.failed else ""
        return (
            f"({claim.location.docname}: line {claim.location.line}) {self.verdict}{declared}  "
            f"{claim.name}: {claim.sentence} [{self.judgement.reason}]"
        )


class Failure(NamedTuple):
    """A scenario that did not run, or a problem of a page; ``what`` describes it in a few words."""

    location: SourceLocation
    name: str
    what: str
    message: str
    subtype: str
    not_checked: bool
    log: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it fails the check."""
        return not self.not_checked

    @property
    def line(self) -> str:
        """A line of text."""
        return f"{self.location}: {self.what}: {self.message}"


def checked_claim(claim: DeclaredClaim, results: Results) -> CheckedClaim:
    """Return the verdict on ``claim`` for the reports."""
    djangos = newest_first(results.checked_with(claim))
    not_checked = results.is_not_checked(claim.name)
    failed = not results.is_as_declared(claim) and not not_checked
    verdict, subtype = results.verdict_text(claim.name), results.warning_type(claim)
    return CheckedClaim(claim, results.judgement(claim.name), verdict, failed, not_checked, subtype, djangos)


def find_failures(results: Results) -> Iterator[Failure]:
    """Yield the failures: scenarios in the order of the pages, then problems."""
    for name, declared in results.scenarios.items():
        missing = results.recordings.missing.get(name)
        if missing is not None:
            accepted = results.is_accepted(missing)
            label = f"scenario {name}"
            what = f"{label} {f'is {NOT_CHECKED}' if accepted else 'did not run'}"
            log, subtype = missing.log, missing.subtype
            yield Failure(declared.location, label, what, missing.message, subtype, accepted, log)
    for subject, message, location, subtype in results.problems:
        accepted = subtype == "absent" and results.accept_missing
        what = f"{subject}, {NOT_CHECKED}" if accepted else subject
        yield Failure(location, subject, what, message, subtype, accepted)
