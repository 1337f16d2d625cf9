"""``djconn:claim``, and ``djconn:claims``, which lists them."""

from typing import Any, ClassVar, Final

from docutils import nodes

from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.ext.directives import options
from sphinx_djconn.ext.directives.base import Directive, Option, OptionError
from sphinx_djconn.ext.placeholders import claims_placeholder, fact_placeholder, proof_placeholder
from sphinx_djconn.ext.registry import FIGURE_MARK, DeclaredClaim, Releases

SHARED_OPTIONS: Final = {
    "verdict": Option(options.verdict, "the declared verdict; ``holds`` by default"),
    "class": Option(options.word, "a class of the claim, as in other directives of Sphinx"),
}
"""The options of ``djconn:claim`` and ``djconn:since``."""


class ClaimDirective(Directive):
    """``djconn:claim``: a sentence, and the expression that decides it."""

    required_arguments = 1
    final_argument_whitespace = True
    options_read: ClassVar[dict[str, Option]] = {
        "in": Option(options.word, "the scenario or matrix whose evidence decides it"),
        "where": Option(
            options.word,
            "which cells of the matrix, as an expression over its axes, such as "
            '``server == "runserver" and conn_max_age is None``; all by default',
        ),
        "expect": Option(options.word, "an expression that is true in every run of every chosen cell"),
        "sometimes": Option(
            options.word, "an expression that is true in at least one run of at least one chosen cell"
        ),
        **SHARED_OPTIONS,
    }
    about: ClassVar = "scenario or matrix"

    def run(self) -> list[nodes.Node]:
        """Register the claim; return its sentence, with a placeholder for the verdict."""
        name = self.arguments[0]
        box = nodes.container(classes=["djconn-claim"])
        self.set_source_info(box)
        box += self.parse_content_to_nodes()
        try:
            values = self._values()
            releases = self.releases(values)
        except OptionError as error:
            self.reject(str(error), self.location(error.line))
            return list(box.children)
        except ValueError as error:
            self.reject(str(error))
            return list(box.children)
        box["classes"] += values.get("class", "").split()
        target = self.anchor("djconn-claim", name)
        self.page.claims.append(
            DeclaredClaim(
                name,
                self.location(),
                target["ids"][0],
                _sentence(box),
                " ".join(values["in"].split()),
                _one_line(values.get("where")),
                values.get("expect"),
                values.get("sometimes"),
                values.get("verdict", Verdict.HOLDS),
                releases,
            )
        )
        box += self.proof(target["ids"][0], values)
        return [self.index("djconn claim", name, target), target, box]

    def releases(self, values: dict[str, Any]) -> Releases | None:
        """Return the releases of a claim about releases."""
        return None

    def proof(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the placeholder for the verdict, and for what decided it."""
        return proof_placeholder(claim=self.arguments[0], node_id=node_id)

    def _values(self) -> dict[str, Any]:
        options.name(self.arguments[0])
        values = self.read_options()
        if "in" not in values:
            raise ValueError(f"a claim about nothing: name its {self.about} with `:in:`")
        if ("expect" in values) == ("sometimes" in values):
            raise ValueError("give it one of `:expect:` (true in every run) and `:sometimes:` (true in one)")
        if not self.content:
            raise ValueError("the sentence that it claims is missing: write it as the body")
        return values


class ClaimsDirective(Directive):
    """``djconn:claims``: the list of claims, with verdicts and links to the evidence."""

    has_content = False
    options_read: ClassVar[dict[str, Option]] = {
        "all": Option(lambda _: True, "list the claims of all pages, not only of this one"),
    }

    def run(self) -> list[nodes.Node]:
        """Return a placeholder."""
        all_pages = "all" in self.options
        page = self.page
        page.lists_all = page.lists_all or all_pages
        return [claims_placeholder(docname="" if all_pages else self.env.docname)]


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split("\n")).strip()


def _sentence(box: nodes.container) -> str:
    """Return the text of a claim, with marks for its figures, whose values are not known yet."""
    copy = box.deepcopy()
    for fact in list(copy.findall(fact_placeholder)):
        mark = FIGURE_MARK.join(["", fact["target"], fact["expression"], ""])
        fact.parent.replace(fact, nodes.Text(mark))
    return " ".join(copy.astext().split())
