"""The reports of ``-b djconn``: the lines that it logs, and the files that it writes."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.console import colorize

from sphinx_djconn.claims.verdict import Judgement, Verdict
from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.ext.django_versions import checked_with_text, newest_first
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.messages import is_suppressed
from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, DeclaredScenario, SourceLocation
from sphinx_djconn.ext.results import Results
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown

logger = logging.getLogger(__name__)

_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that an XML document cannot contain, not even as a reference."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>#|~&@$]")
_ADDRESS: Final = re.compile(r"(?P<before>\b(?:https?|ftp|mailto|www|xmpp))(?P<sign>[:.])", re.IGNORECASE)
"""The beginning of what GitHub turns into a link."""


class _CheckedClaim(NamedTuple):
    """A claim with its verdict. A claim that is ``not_checked`` has not failed."""

    claim: DeclaredClaim
    judgement: Judgement
    verdict: str
    failed: bool
    not_checked: bool
    subtype: str
    djangos: list[str]


class _Failure(NamedTuple):
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
        return not self.not_checked

    @property
    def line(self) -> str:
        return f"{self.location}: {self.what}: {self.message}"


def report(env: BuildEnvironment, folder: Path) -> bool:
    """Write the reports into ``folder``, and log a line for each claim; return whether all is as declared.

    What is not checked here, and accepted, is counted separately, and is no failure.
    """
    results = domain_of(env).results
    assert results is not None, "all pages are read"
    facts = dict(_facts(results))  # first: a recording may turn out to be unreadable
    claims = [_checked_claim(claim, results) for claim in results.claims.values()]
    failures = list(_failures(results))
    for claim in claims:
        logger.info(_coloured(_line(claim), failed=claim.failed, not_checked=claim.not_checked))
    for failure in failures:
        logger.info(_coloured(failure.line, failed=failure.failed, not_checked=failure.not_checked))
    failed = any(claim.failed for claim in claims) or any(failure.failed for failure in failures)
    versions = checked_with_text(version for claim in claims for version in claim.djangos)
    counts = _counts(claims)
    if versions:
        logger.info(versions)
    logger.info(counts if failed or not claims else colorize("darkgreen", counts))
    output = filter(None, (*map(_line, claims), *(failure.line for failure in failures), versions, counts))
    _write(folder, "output.txt", "".join(f"{line}\n" for line in output))
    _write(folder, "claims.json", _json([_claim(claim, results) for claim in claims]))
    _write(folder, "facts.json", _json(facts))
    _write(folder, "junit.xml", _junit(claims, failures))
    _write(folder, "summary.md", _summary(claims, failures, counts, versions))
    _log_suppressed(env, claims, failures)
    return not failed


def _log_suppressed(env: BuildEnvironment, claims: list[_CheckedClaim], failures: list[_Failure]) -> None:
    """Log what fails the check although conf.py suppresses its warning."""
    for checked in claims:
        if checked.failed and is_suppressed(checked.subtype, env.config):
            claim, reason = checked.claim, checked.judgement.reason
            message = f"{checked.verdict}, but declared `{claim.declared}`: {reason}"
            logger.error("%s: %s", claim.subject, message, location=str(claim.location))
    for failure in failures:
        if failure.failed and is_suppressed(failure.subtype, env.config):
            logger.error("%s: %s", failure.what, failure.message, location=str(failure.location))


def _coloured(line: str, *, failed: bool, not_checked: bool) -> str:
    if failed:
        return colorize("red", line)
    return colorize("yellow", line) if not_checked else line


def _counts(claims: list[_CheckedClaim]) -> str:
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


def _checked_claim(claim: DeclaredClaim, results: Results) -> _CheckedClaim:
    djangos = newest_first(results.checked_with(claim))
    not_checked = results.is_not_checked(claim.name)
    failed = not results.is_as_declared(claim) and not not_checked
    verdict, subtype = results.verdict_text(claim.name), results.warning_type(claim)
    return _CheckedClaim(claim, results.judgement(claim.name), verdict, failed, not_checked, subtype, djangos)


def _failures(results: Results) -> Iterator[_Failure]:
    """Yield the failures: scenarios in the order of the pages, then problems."""
    for name, declared in results.scenarios.items():
        missing = results.recordings.missing.get(name)
        if missing is not None:
            accepted = results.is_accepted(missing)
            label = f"scenario {name}"
            what = f"{label} {f'is {NOT_CHECKED}' if accepted else 'did not run'}"
            log, subtype = missing.log, missing.subtype
            yield _Failure(declared.location, label, what, missing.message, subtype, accepted, log)
    for subject, message, location, subtype in results.problems:
        accepted = subtype == "absent" and results.accept_missing
        what = f"{subject}, {NOT_CHECKED}" if accepted else subject
        yield _Failure(location, subject, what, message, subtype, accepted)


def _line(checked: _CheckedClaim) -> str:
    claim, judgement = checked.claim, checked.judgement
    declared = f", declared {claim.declared}" if checked.failed else ""
    return (
        f"({claim.location.docname}: line {claim.location.line}) {checked.verdict}{declared}  "
        f"{claim.name}: {claim.sentence} [{judgement.reason}]"
    )


def _claim(checked: _CheckedClaim, results: Results) -> dict[str, Any]:
    claim, judgement = checked.claim, checked.judgement
    not_installed = results.not_installed.get(claim.name)
    kind = "expect" if claim.expect else "sometimes"
    return {
        "id": claim.name,
        "document": claim.location.docname,
        "line": claim.location.line,
        "sentence": claim.sentence,
        "in": claim.target,
        **({} if claim.where is None else {"where": claim.where}),
        kind: claim.expression,
        **_releases(claim, results),
        "declared": claim.declared,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        **({} if not_installed is None else {"missing": list(not_installed)}),
        "django": checked.djangos,
    }


def _releases(claim: DeclaredClaim, results: Results) -> dict[str, Any]:
    """Return the releases of a claim about releases, and whether it is true of those that were run."""
    search = results.searches.get(claim.name)
    if search is None:
        return {}
    truths = {search.releases.names[position]: result.truth for position, result in search.results().items()}
    return {"releases": search.releases.text, "said": truths, "found": search.outcome().found}


def _facts(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, declared in sorted(results.scenarios.items()):
        if declared.scenario is not None:
            runs = [_plain(facts) for facts in results.recordings.facts(name)]
            yield name, {"axes": _axes(declared, declared.scenario, results), "runs": runs}


def _axes(declared: DeclaredScenario, scenario: Scenario, results: Results) -> dict[str, Any]:
    matrix = results.declarations.get(declared.matrix)
    varied = matrix.axes if isinstance(matrix, DeclaredMatrix) else ()
    axes = {
        "server": scenario.server,
        "database": scenario.database,
        "environment": scenario.environment,
        "project": scenario.project,
        "conn-max-age": scenario.conn_max_age,
        "conn-health-checks": scenario.conn_health_checks,
        "garbage-collection": scenario.garbage_collection,
    }
    return axes | {axis.name: value for axis, value in zip(varied, declared.values, strict=True)}


def _plain(facts: Facts) -> dict[str, Any]:
    """Return the figures for JSON. One that depends on the garbage collector has bounds."""
    plain = {}
    for name, figure in facts.figures.items():
        bounds = facts.bounds(name)
        if isinstance(figure, Unknown):
            plain[name] = {"unknown": figure.reason}
        else:
            plain[name] = figure if bounds is None else {"from": bounds[0], "to": bounds[1]}
    return plain


def _json(value: Any) -> str:
    text = json.dumps(_strict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _strict(value: Any) -> Any:
    """Return ``value`` for JSON: numbers that JSON lacks as texts, an unknown value with its reason."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if isinstance(value, Mapping):
        return {str(key): _strict(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return value


def _junit(claims: list[_CheckedClaim], failures: list[_Failure]) -> str:
    outcomes: Counter[str] = Counter()
    cases = []
    for checked in claims:
        claim = checked.claim
        case = ElementTree.Element(
            "testcase", classname=claim.location.docname, name=claim.name, line=str(claim.location.line)
        )
        if checked.failed or checked.not_checked:
            unproven = checked.judgement.verdict is Verdict.UNPROVEN
            outcome = "skipped" if checked.not_checked else "error" if unproven else "failure"
            declared = f", declared {claim.declared}" if checked.failed else ""
            message = f"{checked.verdict}{declared}: {checked.judgement.reason}"
            ElementTree.SubElement(case, outcome, message=message).text = claim.sentence
            outcomes[outcome] += 1
        cases.append(case)
    for failure in failures:
        case = ElementTree.Element("testcase", classname=failure.location.docname, name=failure.name)
        outcome = "skipped" if failure.not_checked else "error"
        message = f"{NOT_CHECKED}: {failure.message}" if failure.not_checked else failure.message
        ElementTree.SubElement(case, outcome, message=message).text = "\n".join(failure.log) or None
        outcomes[outcome] += 1
        cases.append(case)
    suite = ElementTree.Element(
        "testsuite",
        name="djconn",
        tests=str(len(cases)),
        failures=str(outcomes["failure"]),
        errors=str(outcomes["error"]),
        skipped=str(outcomes["skipped"]),
    )
    suite.extend(cases)
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _summary(claims: list[_CheckedClaim], failures: list[_Failure], counts: str, versions: str) -> str:
    if not claims:
        counts = f"{counts[0].upper()}{counts[1:]}"
    verdicts = Counter(checked.judgement.verdict for checked in claims)
    lines = [
        "## Claims",
        "",
        f"{counts}: " + ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict),
    ]
    lines += ["", f"{versions}."] if versions else []
    lines += ["", "| verdict | claim | in | reason |", "|---|---|---|---|"]
    for checked in claims:
        claim = checked.claim
        verdict = f"**{checked.verdict}** (declared {claim.declared})" if checked.failed else checked.verdict
        cells = (claim.sentence, claim.target_text, checked.judgement.reason)
        lines.append("| " + " | ".join([verdict, *map(markdown, cells)]) + " |")
    for title, some in (
        ("What could not be checked", [failure for failure in failures if failure.failed]),
        ("What is not checked here", [failure for failure in failures if failure.not_checked]),
    ):
        if some:
            lines += ["", f"## {title}", "", *(f"- {markdown(failure.line)}" for failure in some)]
    return "\n".join(lines) + "\n"


def markdown(text: str) -> str:
    """Return ``text`` as one line of Markdown, with markup and HTML escaped.

    GitHub makes no links of addresses, names of users (``@``) and numbers of issues (``#``) in it.
    """
    line = " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).split())
    line = _MARKUP.sub(lambda match: "\\" + match[0], line)
    line = _ADDRESS.sub(lambda match: match["before"] + "\\" + match["sign"], line)
    return line.replace("\\<", "&lt;")
