"""The reports of ``-b djconn``: what it prints, and the files that it writes."""

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
from sphinx_djconn.ext import django_versions as checked_with
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, DeclaredScenario, SourceLocation
from sphinx_djconn.ext.results import Results
from sphinx_djconn.ext.runner import is_suppressed
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown

logger = logging.getLogger(__name__)

_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML document may hold, not even as a reference."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MEANT: Final = re.compile(r"[\\`*_\[\]<>#|~&@$]")
_ADDRESS: Final = re.compile(r"(?P<before>\b(?:https?|ftp|mailto|www|xmpp))(?P<sign>[:.])", re.IGNORECASE)
"""What GitHub makes a link of by itself."""


def report(env: BuildEnvironment, folder: Path) -> bool:
    """Write the reports into ``folder``, and a line for each claim; return whether all is as declared.

    What is not checked here, and accepted, is counted apart and is no failure.
    """
    results = domain_of(env).results
    assert results is not None, "all pages are read"
    facts = dict(_facts(results))  # before all else: a recording that is read may turn out not to be usable
    judged = [_judged(claim, results) for claim in results.claims.values()]
    others = list(_others(results))
    for claim in judged:
        logger.info(_coloured(_line(claim), failed=claim.failed, not_checked=claim.not_checked))
    for other in others:
        logger.info(_coloured(other.line, failed=other.failed, not_checked=other.not_checked))
    failed = any(each.failed for each in judged) or any(each.failed for each in others)
    versions = checked_with.told(version for each in judged for version in each.djangos)
    counted = _counted(judged)
    if versions:
        logger.info(versions)
    logger.info(counted if failed or not judged else colorize("darkgreen", counted))
    output = filter(None, (*map(_line, judged), *(each.line for each in others), versions, counted))
    _write(folder, "output.txt", "".join(f"{line}\n" for line in output))
    _write(folder, "claims.json", _json([_claim(each, results) for each in judged]))
    _write(folder, "facts.json", _json(facts))
    _write(folder, "junit.xml", _junit(judged, others))
    _write(folder, "summary.md", _summary(judged, others, counted, versions))
    _say_what_no_warning_said(env, judged, others)
    return not failed


def _say_what_no_warning_said(env: BuildEnvironment, judged: "list[_Judged]", others: "list[_Other]") -> None:
    """Write to stderr what fails the check and was not warned of, because conf.py suppresses such warnings."""
    for claim in judged:
        if claim.failed and is_suppressed(claim.subtype, env.config):
            message = f"{claim.verdict}, but declared `{claim.claim.declared}`: {claim.judgement.reason}"
            logger.error("%s: %s", claim.claim.subject, message, location=str(claim.claim.place))
    for other in others:
        if other.failed and is_suppressed(other.subtype, env.config):
            logger.error("%s: %s", other.what, other.message, location=str(other.place))


def _coloured(line: str, *, failed: bool, not_checked: bool) -> str:
    if failed:
        return colorize("red", line)
    return colorize("yellow", line) if not_checked else line


def _counted(judged: "list[_Judged]") -> str:
    if not judged:
        nothing = "no page makes a claim, so nothing was checked"
        return f"{nothing}; set djconn_minimum_claims in conf.py to have that fail"
    not_checked = sum(each.not_checked for each in judged)
    failed = sum(each.failed for each in judged)
    apart = f", {not_checked} {NOT_CHECKED}" if not_checked else ""
    return f"{len(judged)} claims, {len(judged) - failed - not_checked} as declared{apart}"


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(name).write_text(text, encoding="utf-8")


class _Judged(NamedTuple):
    """A claim with its verdict. One that is ``not_checked``, and accepted, has not failed."""

    claim: DeclaredClaim
    judgement: Judgement
    verdict: str
    failed: bool
    not_checked: bool
    subtype: str
    djangos: list[str]


def _judged(claim: DeclaredClaim, results: Results) -> _Judged:
    djangos = checked_with.newest_first(results.checked_with(claim))
    not_checked = results.is_not_checked(claim.name)
    failed = not results.is_as_declared(claim) and not not_checked
    verdict, subtype = results.verdict_text(claim.name), results.warning_type(claim)
    return _Judged(claim, results.judgement(claim.name), verdict, failed, not_checked, subtype, djangos)


class _Other(NamedTuple):
    """A scenario that did not run, or what else cannot be used of a page; ``what`` says that in a few words."""

    place: SourceLocation
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
        return f"{self.place}: {self.what}: {self.message}"


def _others(results: Results) -> Iterator[_Other]:
    for name, absence in results.absences.items():
        accepted = results.accepts(absence)
        what = f"scenario {name} {f'is {NOT_CHECKED}' if accepted else 'did not run'}"
        place = results.scenarios[name].place
        yield _Other(place, f"scenario {name}", what, absence.message, absence.subtype, accepted, absence.log)
    for each in results.problems:
        accepted = each.subtype == "absent" and results.accepts_absence
        what = f"{each.subject}, {NOT_CHECKED}" if accepted else each.subject
        yield _Other(each.place, each.subject, what, each.message, each.subtype, accepted)


def _line(judged: _Judged) -> str:
    claim, judgement = judged.claim, judged.judgement
    declared = f", declared {claim.declared}" if judged.failed else ""
    return (
        f"({claim.place.docname}: line {claim.place.line}) {judged.verdict}{declared}  "
        f"{claim.name}: {claim.sentence} [{judgement.reason}]"
    )


def _claim(judged: _Judged, results: Results) -> dict[str, Any]:
    claim, judgement = judged.claim, judged.judgement
    missing = results.missing.get(claim.name)
    kind = "expect" if claim.expect else "sometimes"
    return {
        "id": claim.name,
        "document": claim.place.docname,
        "line": claim.place.line,
        "sentence": claim.sentence,
        "in": claim.scenario,
        **({} if claim.where is None else {"where": claim.where}),
        kind: claim.expression,
        **_releases(claim, results),
        "declared": claim.declared,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        **({} if missing is None else {"missing": list(missing)}),
        "django": judged.djangos,
    }


def _releases(claim: DeclaredClaim, results: Results) -> dict[str, Any]:
    """Return the releases that a claim was searched in, and what those said that were run."""
    search = results.searches.get(claim.name)
    if search is None:
        return {}
    said = {search.releases.names[position]: told.truth for position, told in search.told().items()}
    return {"releases": search.releases.text, "said": said, "found": search.outcome().summary}


def _facts(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, declared in sorted(results.scenarios.items()):
        if declared.scenario is not None:
            runs = [_plain(facts) for facts in results.facts(name)]
            yield name, {"axes": _axes(declared, declared.scenario, results), "runs": runs}


def _axes(declared: DeclaredScenario, scenario: Scenario, results: Results) -> dict[str, Any]:
    matrix = results.declared.get(declared.matrix)
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
    """Return the figures for JSON: bounds if one depends on the garbage collector, why if one is not known."""
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
    """Return ``value`` as JSON has it: numbers that JSON lacks as texts, what is not known with a reason."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if isinstance(value, Mapping):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(each) for each in value]
    return value


def _junit(judged: list[_Judged], others: list[_Other]) -> str:
    outcomes: Counter[str] = Counter()
    cases = []
    for each in judged:
        claim, reason = each.claim, each.judgement.reason
        case = ElementTree.Element(
            "testcase", classname=claim.place.docname, name=claim.name, line=str(claim.place.line)
        )
        if each.failed or each.not_checked:
            unproven = each.judgement.verdict is Verdict.UNPROVEN
            outcome = "skipped" if each.not_checked else "error" if unproven else "failure"
            declared = f", declared {claim.declared}" if each.failed else ""
            told = ElementTree.SubElement(case, outcome, message=f"{each.verdict}{declared}: {reason}")
            told.text = claim.sentence
            outcomes[outcome] += 1
        cases.append(case)
    for other in others:
        case = ElementTree.Element("testcase", classname=other.place.docname, name=other.name)
        outcome = "skipped" if other.not_checked else "error"
        message = f"{NOT_CHECKED}: {other.message}" if other.not_checked else other.message
        ElementTree.SubElement(case, outcome, message=message).text = "\n".join(other.log) or None
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


def _summary(judged: list[_Judged], others: list[_Other], counted: str, versions: str) -> str:
    if not judged:
        counted = f"{counted[0].upper()}{counted[1:]}"
    counts = Counter(each.judgement.verdict for each in judged)
    lines = ["## Claims", "", f"{counted}: " + ", ".join(f"{counts[each]} {each}" for each in Verdict)]
    lines += ["", f"{versions}."] if versions else []
    lines += ["", "| verdict | claim | in | reason |", "|---|---|---|---|"]
    for each in judged:
        verdict = f"**{each.verdict}** (declared {each.claim.declared})" if each.failed else each.verdict
        cells = (each.claim.sentence, each.claim.told_in, each.judgement.reason)
        lines.append("| " + " | ".join([verdict, *map(markdown, cells)]) + " |")
    for title, some in (
        ("What could not be checked", [each for each in others if each.failed]),
        ("What is not checked here", [each for each in others if each.not_checked]),
    ):
        if some:
            lines += ["", f"## {title}", "", *(f"- {markdown(each.line)}" for each in some)]
    return "\n".join(lines) + "\n"


def markdown(text: str) -> str:
    """Return ``text`` as one line of Markdown in which none of it is taken for Markdown or HTML.

    Addresses, names of users (``@``) and numbers of issues (``#``) make no links on GitHub, either.
    """
    line = " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).split())
    line = _MEANT.sub(lambda match: "\\" + match[0], line)
    line = _ADDRESS.sub(lambda match: match["before"] + "\\" + match["sign"], line)
    return line.replace("\\<", "&lt;")
