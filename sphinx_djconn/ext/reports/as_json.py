"""``claims.json`` and ``facts.json``."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, DeclaredScenario
from sphinx_djconn.ext.reports.outcomes import CheckedClaim
from sphinx_djconn.ext.results import Results
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.unknown import Unknown

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def claims_json(claims: Sequence[CheckedClaim], results: Results) -> str:
    """Return the text of ``claims.json``."""
    return _json([_claim(checked, results) for checked in claims])


def facts_json(results: Results) -> str:
    """Return the text of ``facts.json``."""
    return _json(dict(_facts(results)))


def _claim(checked: CheckedClaim, results: Results) -> dict[str, Any]:
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
    return {"releases": search.releases.text, "said": truths, "found": search.outcome().summary}


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
