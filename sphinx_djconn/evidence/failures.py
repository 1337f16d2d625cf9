"""What a page shows if a run failed."""

from collections.abc import Sequence
from typing import Final

from docutils import nodes

from sphinx_djconn.evidence.nodes import lines_block
from sphinx_djconn.evidence.text import number, printable

_LINES_MOST: Final = 20
_LONGEST_MESSAGE: Final = 2000


def failure(message: str, log: Sequence[str], *, accepted: bool = False) -> list[nodes.Node]:
    """Return a warning with ``message`` and the end of the server's ``log``; a note if that is ``accepted``."""
    message_lines = [printable(line, _LONGEST_MESSAGE) for line in message.splitlines() if line.strip()]
    lines = [printable(line) for line in log]
    while lines and not lines[-1].strip():
        del lines[-1]
    # The text writer joins the paragraphs of an admonition, but not those of a container.
    details = nodes.container(
        "", *(nodes.paragraph(line, line) for line in message_lines[1:]), classes=["djconn-details"]
    )
    if lines:
        before = len(lines) - _LINES_MOST
        after = f", after {number(before)} lines before" if before > 0 else ""
        details += nodes.paragraph("", f"The end of the log{after}:")
        details += lines_block(lines[-_LINES_MOST:])
    admonition: nodes.Element = (nodes.note if accepted else nodes.warning)(
        "", nodes.paragraph("", "".join(message_lines[:1]))
    )
    admonition["classes"].append("djconn-not-checked" if accepted else "djconn-failure")
    if details.children:
        admonition += details
    return [admonition]
