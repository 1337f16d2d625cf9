"""The node of a part that readers can unfold, and its visitors."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypedDict

from docutils import nodes


class djconn_details(nodes.container):  # noqa: N801 - nodes are named as docutils names them
    """Children that readers can unfold; the first one, a paragraph, is the title.

    HTML shows ``<details>``. Other formats use the visitor of the base class, a container: they show the
    title in bold, and all other children below it.
    """


def visit_details_html(translator: Any, node: djconn_details) -> None:
    """Write ``<details>``, with the title as its ``<summary>``."""
    heading, *children = node.children
    translator.body.append(translator.starttag(node, "details"))
    translator.body.append("<summary>")
    for child in heading.children[0].children:
        child.walkabout(translator)
    translator.body.append("</summary>\n")
    for child in children:
        child.walkabout(translator)
    translator.body.append("</details>\n")
    raise nodes.SkipNode


def visit_details_man(translator: Any, _: djconn_details) -> None:
    """Start a new paragraph: man's container visitor adds no vertical space."""
    translator.ensure_eol()
    translator.body.append(".sp\n")


_Visitors: TypeAlias = tuple[Callable[[Any, djconn_details], None], None]


class DetailsVisitors(TypedDict):
    """Visitors by the name of the builder or its format."""

    html: _Visitors
    man: _Visitors


DETAILS_VISITORS: Final[DetailsVisitors] = {
    "html": (visit_details_html, None),
    "man": (visit_details_man, None),
}
"""Arguments of ``app.add_node(djconn_details, …)``. Other formats show a container."""
