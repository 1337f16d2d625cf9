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

from sphinx_djconn.claims import Judgement, Verdict
from sphinx_djconn.ext import checked_with
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, DeclaredScenario
from sphinx_djconn.ext.results import Results
from sphinx_djconn.scenario import Scenario
from sphinx_djconn.trace import Facts, Unknown

logger = logging.getLogger(__name__)

_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML document may hold, not even as a reference."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MEANT: Final = re.compile(r"[\\`*_\[\]<>#|~&@$]")
_ADDRESS: Final = re.compile(r"(?P<before>\b(?:https?|ftp|mailto|www|xmpp))(?P<sign>[:.])", re.IGNORECASE)
"""What GitHub makes a link of by itself."""


def report(env: BuildEnvironment, folder: Path) -> bool:
    """Write the reports into ``folder``, and a line for each claim; return whether all is as declared."""
    results = domain_of(env).results
    assert results is not None, "all pages are read"
    judged = [_judged(claim, results) for claim in results.claims.values()]
    lines = [_line(each) for each in judged]
    for each, line in zip(judged, lines, strict=True):
        logger.info(line if each.as_declared else colorize("red", line))
    failed = [
        f"{results.scenarios[name].place}: scenario {name} did not run: {absence.message}"
        for name, absence in results.absences.items()
    ]
    failed += [f"{each.place}: {each.subject}: {each.message}" for each in results.problems]
    for line in failed:
        logger.info(colorize("red", line))
    wrong = [each for each in judged if not each.as_declared]
    versions = checked_with.told(version for each in judged for version in each.djangos)
    counted = f"{len(judged)} claims, {len(judged) - len(wrong)} as declared"
    if versions:
        logger.info(versions)
    logger.info(counted if wrong or failed else colorize("darkgreen", counted))
    output = filter(None, (*lines, *failed, versions, counted))
    _write(folder, "output.txt", "".join(f"{line}\n" for line in output))
    _write(folder, "claims.json", _json([_claim(each, results) for each in judged]))
    _write(folder, "facts.json", _json(dict(_facts(results))))
    _write(folder, "junit.xml", _junit(judged, results))
    _write(folder, "summary.md", _summary(judged, failed, counted, versions))
    return not wrong and not failed


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(name).write_text(text, encoding="utf-8")


class _Judged(NamedTuple):
    claim: DeclaredClaim
    judgement: Judgement
    as_declared: bool
    djangos: list[str]


def _judged(claim: DeclaredClaim, results: Results) -> _Judged:
    djangos = checked_with.newest_first(results.checked_with(claim))
    return _Judged(claim, results.judgement(claim.name), results.is_as_declared(claim), djangos)


def _line(judged: _Judged) -> str:
    claim, judgement, as_declared, _ = judged
    declared = "" if as_declared else f", declared {claim.declared}"
    return (
        f"({claim.place.docname}: line {claim.place.line}) {judgement.verdict}{declared}  "
        f"{claim.name}: {claim.sentence} [{judgement.reason}]"
    )


def _claim(judged: _Judged, results: Results) -> dict[str, Any]:
    claim, judgement, _, djangos = judged
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
        "django": djangos,
    }


def _releases(claim: DeclaredClaim, results: Results) -> dict[str, Any]:
    """Return the releases that a claim was searched in, and what those said that were run."""
    search = results.searches.get(claim.name)
    if search is None:
        return {}
    said = {search.releases.names[position]: told.truth for position, told in search.told().items()}
    return {"releases": search.releases.text, "said": said, "found": search.outcome().found}


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
    }
    return axes | {axis.name: value for axis, value in zip(varied, declared.values, strict=True)}


def _plain(facts: Facts) -> dict[str, Any]:
    return facts.figures


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


def _junit(judged: list[_Judged], results: Results) -> str:
    cases = []
    failures = errors = 0
    for claim, judgement, as_declared, _ in judged:
        case = ElementTree.Element(
            "testcase", classname=claim.place.docname, name=claim.name, line=str(claim.place.line)
        )
        if not as_declared:
            unproven = judgement.verdict is Verdict.UNPROVEN
            failures, errors = failures + (not unproven), errors + unproven
            told = ElementTree.SubElement(
                case,
                "error" if unproven else "failure",
                message=f"{judgement.verdict}, declared {claim.declared}: {judgement.reason}",
            )
            told.text = claim.sentence
        cases.append(case)
    for name, absence in results.absences.items():
        case = ElementTree.Element(
            "testcase", classname=results.scenarios[name].place.docname, name=f"scenario {name}"
        )
        ElementTree.SubElement(case, "error", message=absence.message).text = "\n".join(absence.log)
        errors += 1
        cases.append(case)
    for problem in results.problems:
        case = ElementTree.Element("testcase", classname=problem.place.docname, name=problem.subject)
        ElementTree.SubElement(case, "error", message=problem.message)
        errors += 1
        cases.append(case)
    suite = ElementTree.Element(
        "testsuite",
        name="djconn",
        tests=str(len(cases)),
        failures=str(failures),
        errors=str(errors),
    )
    suite.extend(cases)
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _summary(judged: list[_Judged], failed: list[str], counted: str, versions: str) -> str:
    counts = Counter(each.judgement.verdict for each in judged)
    lines = ["## Claims", "", f"{counted}: " + ", ".join(f"{counts[each]} {each}" for each in Verdict)]
    lines += ["", f"{versions}."] if versions else []
    lines += ["", "| verdict | claim | in | reason |", "|---|---|---|---|"]
    for claim, judgement, as_declared, _ in judged:
        verdict = str(judgement.verdict)
        if not as_declared:
            verdict = f"**{verdict}** (declared {claim.declared})"
        cells = (claim.sentence, claim.told_in, judgement.reason)
        lines.append("| " + " | ".join([verdict, *map(markdown, cells)]) + " |")
    if failed:
        lines += ["", "## What could not be checked", "", *(f"- {markdown(line)}" for line in failed)]
    return "\n".join(lines) + "\n"


def markdown(text: str) -> str:
    """Return ``text`` as one line of Markdown in which none of it is taken for Markdown or HTML.

    Addresses, names of users (``@``) and numbers of issues (``#``) make no links on GitHub, either.
    """
    line = " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).split())
    line = _MEANT.sub(lambda match: "\\" + match[0], line)
    line = _ADDRESS.sub(lambda match: match["before"] + "\\" + match["sign"], line)
    return line.replace("\\<", "&lt;")
