"""``junit.xml``."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.evidence.nodes import NOT_CHECKED
from sphinx_djconn.ext.reports.outcomes import CheckedClaim, Failure

_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that an XML document cannot contain, not even as a reference."""


def junit_xml(claims: Sequence[CheckedClaim], failures: Sequence[Failure]) -> str:
    """Return a test case for each claim and each failure."""
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
    return printable_xml(text)


def printable_xml(text: str) -> str:
    """Return ``text`` with replacement characters for what XML cannot contain."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
