"""The reports of ``-b djconn``: the lines that it logs, and the files that it writes."""

from pathlib import Path

from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.console import colorize

from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.ext.django_versions import checked_with_text
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.messages import is_suppressed
from sphinx_djconn.ext.reports.as_json import claims_json, facts_json
from sphinx_djconn.ext.reports.junit import junit_xml
from sphinx_djconn.ext.reports.markdown_summary import summary_markdown
from sphinx_djconn.ext.reports.outcomes import CheckedClaim, Failure, checked_claim, find_failures

logger = logging.getLogger(__name__)


def report(env: BuildEnvironment, folder: Path) -> bool:
    """Write the reports into ``folder``, and log a line for each claim; return whether all is as declared.

    What is not checked here, and accepted, is counted separately, and is no failure.
    """
    results = domain_of(env).results
    assert results is not None, "all pages are read"
    facts = facts_json(results)  # first: a recording may turn out to be unreadable
    claims = [checked_claim(claim, results) for claim in results.claims.values()]
    failures = list(find_failures(results))
    outcomes: list[CheckedClaim | Failure] = [*claims, *failures]
    for outcome in outcomes:
        logger.info(_coloured(outcome))
    failed = any(outcome.failed for outcome in outcomes)
    versions = checked_with_text(version for claim in claims for version in claim.djangos)
    counts = _counts(claims)
    if versions:
        logger.info(versions)
    logger.info(counts if failed or not claims else colorize("darkgreen", counts))
    output = filter(None, (*(outcome.line for outcome in outcomes), versions, counts))
    _write(folder, "output.txt", "".join(f"{line}\n" for line in output))
    _write(folder, "claims.json", claims_json(claims, results))
    _write(folder, "facts.json", facts)
    _write(folder, "junit.xml", junit_xml(claims, failures))
    _write(folder, "summary.md", summary_markdown(claims, failures, counts, versions))
    _log_suppressed(env, claims, failures)
    return not failed


def _log_suppressed(env: BuildEnvironment, claims: list[CheckedClaim], failures: list[Failure]) -> None:
    """Log what fails the check although conf.py suppresses its warning."""
    for checked in claims:
        if checked.failed and is_suppressed(checked.subtype, env.config):
            claim, reason = checked.claim, checked.judgement.reason
            message = f"{checked.verdict}, but declared `{claim.declared}`: {reason}"
            logger.error("%s: %s", claim.subject, message, location=str(claim.location))
    for failure in failures:
        if failure.failed and is_suppressed(failure.subtype, env.config):
            logger.error("%s: %s", failure.what, failure.message, location=str(failure.location))


def _coloured(outcome: CheckedClaim | Failure) -> str:
    if outcome.failed:
        return colorize("red", outcome.line)
    return colorize("yellow", outcome.line) if outcome.not_checked else outcome.line


def _counts(claims: list[CheckedClaim]) -> str:
    if not claims:
        nothing = "no page makes a claim, so nothing was checked"
        return f"{nothing}; set djconn_minimum_claims in conf.py to have that fail"
    not_checked = sum(claim.not_checked for claim in claims)
    as_declared = len(claims) - not_checked - sum(claim.failed for claim in claims)
    separately = f", {not_checked} {NOT_CHECKED}" if not_checked else ""
    return f"{len(claims)} claims, {as_declared} as declared{separately}"


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(name).write_text(text, encoding="utf-8")
