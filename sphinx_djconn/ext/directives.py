"""The directives of claims, and the list of all. They read and register; nothing runs while pages are read."""

from typing import Any, ClassVar, Final

from docutils import nodes

from sphinx_djconn.claims import Verdict
from sphinx_djconn.ext import options
from sphinx_djconn.ext.directive import Directive, Option, OptionError
from sphinx_djconn.ext.nodes import claims_placeholder, fact_placeholder, proof_placeholder
from sphinx_djconn.ext.registry import FIGURE_MARK, DeclaredClaim
from sphinx_djconn.ext.running import MatrixDirective, ScenarioDirective


class ClaimDirective(Directive):
    """``djconn:claim``: a sentence, and the expression that decides it."""

    required_arguments = 1
    final_argument_whitespace = True
    options_read: ClassVar[dict[str, Option]] = {
        "in": Option(options.word, "the scenario or matrix whose evidence decides it"),
        "where": Option(
            options.word,
            "which cells of the matrix, as an expression over its axes, such as "
            '``server == "runserver" and conn_max_age is None``; all unless said',
        ),
        "expect": Option(options.word, "an expression that is true in every run of every chosen cell"),
        "sometimes": Option(
            options.word, "an expression that is true in at least one run of at least one of them"
        ),
        "verdict": Option(options.verdict, "what the author declares; ``holds`` unless said"),
        "class": Option(options.word, "a class of the claim, as everywhere in Sphinx"),
    }

    def run(self) -> list[nodes.Node]:
        """Register the claim, and put its sentence on the page with a placeholder for the proof."""
        name = self.arguments[0]
        box = nodes.container(classes=["djconn-claim"])
        self.set_source_info(box)
        box += self.parse_content_to_nodes()
        try:
            values = self._checked()
        except OptionError as error:
            self.refuse(str(error), self.place(error.line))
            return list(box.children)
        except ValueError as error:
            self.refuse(str(error))
            return list(box.children)
        box["classes"] += values.get("class", "").split()
        target = self.anchor("djconn-claim", name)
        self.page.claims.append(
            DeclaredClaim(
                name,
                self.place(),
                target["ids"][0],
                _sentence(box),
                " ".join(values["in"].split()),
                _one_line(values.get("where")),
                values.get("expect"),
                values.get("sometimes"),
                values.get("verdict", Verdict.HOLDS),
            )
        )
        box += proof_placeholder(claim=name, node_id=target["ids"][0])
        return [self.index("djconn claim", name, target), target, box]

    def _checked(self) -> dict[str, Any]:
        options.name(self.arguments[0])
        values = self.read_options()
        if "in" not in values:
            raise ValueError("a claim about nothing: name its scenario or matrix with `:in:`")
        if ("expect" in values) == ("sometimes" in values):
            raise ValueError("give it one of `:expect:` (true in every run) and `:sometimes:` (true in one)")
        if not self.content:
            raise ValueError("the sentence that it claims is missing: write it as the body")
        return values


class ClaimsDirective(Directive):
    """``djconn:claims``: the list of claims, with verdicts and links to the evidence."""

    has_content = False
    options_read: ClassVar[dict[str, Option]] = {
        "all": Option(lambda _: True, "of all pages, not of this one only"),
    }

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        everywhere = "all" in self.options
        page = self.page
        page.lists_all = page.lists_all or everywhere
        return [claims_placeholder(docname="" if everywhere else self.env.docname)]


DIRECTIVES: Final[dict[str, Any]] = {
    "scenario": ScenarioDirective,
    "matrix": MatrixDirective,
    "claim": ClaimDirective,
    "claims": ClaimsDirective,
}
"""The directives of the domain, by name."""


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split("\n")).strip()


def _sentence(box: nodes.container) -> str:
    """Return the text of a claim, with marks around the figures that are not known yet."""
    copy = box.deepcopy()
    for fact in list(copy.findall(fact_placeholder)):
        marked = FIGURE_MARK.join(["", fact["scenario"], fact["expression"], ""])
        fact.parent.replace(fact, nodes.Text(marked))
    return " ".join(copy.astext().split())
