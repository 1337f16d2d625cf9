"""What the extension registers to show a fold in every format."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypedDict

from docutils import nodes


class djconn_fold(nodes.container):  # noqa: N801 - nodes are named as docutils names them
    """Children that a reader unfolds; the first one, a paragraph, is the title.

    HTML shows ``<details>``. Every other format finds the visitor of the base class, a container,
    and shows the title in strong type and below it all that was folded.
    """


def visit_fold_html(translator: Any, node: djconn_fold) -> None:
    """Write the fold as ``<details>`` with the title as its ``<summary>``."""
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


def visit_fold_man(translator: Any, _: djconn_fold) -> None:
    """Set the fold apart from what is above: no visitor of a container's does."""
    translator.ensure_eol()
    translator.body.append(".sp\n")


_Visitors: TypeAlias = tuple[Callable[[Any, djconn_fold], None], None]


class FoldVisitors(TypedDict):
    """Visitors by the name of the builder or its format."""

    html: _Visitors
    man: _Visitors


FOLD_VISITORS: Final[FoldVisitors] = {
    "html": (visit_fold_html, None),
    "man": (visit_fold_man, None),
}
"""Arguments of ``app.add_node(djconn_fold, …)``. Formats that are not here show a container."""
