"""``summary.md``, for the summary of a GitHub workflow."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.ext.reports.junit import printable_xml
from sphinx_djconn.ext.reports.outcomes import CheckedClaim, Failure

_MARKUP: Final = re.compile(r"[\\`*_\[\]<>#|~&@$]")
_ADDRESS: Final = re.compile(r"(?P<before>\b(?:https?|ftp|mailto|www|xmpp))(?P<sign>[:.])", re.IGNORECASE)
"""The beginning of what GitHub turns into a link."""


def summary_markdown(
    claims: Sequence[CheckedClaim], failures: Sequence[Failure], counts: str, versions: str
) -> str:
    """Return a table of the claims, below a line with their counts, and a list of the failures."""
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
        lines.append("| " + " | ".join([verdict, *map(_escape, cells)]) + " |")
    for title, some in (
        ("What could not be checked", [failure for failure in failures if failure.failed]),
        ("What is not checked here", [failure for failure in failures if failure.not_checked]),
    ):
        if some:
            lines += ["", f"## {title}", "", *(f"- {_escape(failure.line)}" for failure in some)]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Return ``text`` as one line of Markdown, with markup and HTML escaped.

    GitHub makes no links of addresses, names of users (``@``) and numbers of issues (``#``) in it.
    """
    line = " ".join(printable_xml(text).split())
    line = _MARKUP.sub(lambda match: "\\" + match[0], line)
    line = _ADDRESS.sub(lambda match: match["before"] + "\\" + match["sign"], line)
    return line.replace("\\<", "&lt;")
