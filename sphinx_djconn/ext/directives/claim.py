"""The directives of claims, and the list of all. They read and register; nothing runs while pages are read."""

from typing import Any, ClassVar, Final

from docutils import nodes

from sphinx_djconn.claims.bisect import Direction
from sphinx_djconn.claims.verdict import Verdict
from sphinx_djconn.ext.directives import options, releases
from sphinx_djconn.ext.directives.base import Directive, Option, OptionError
from sphinx_djconn.ext.directives.scenario import MatrixDirective, ScenarioDirective
from sphinx_djconn.ext.placeholders import claims_placeholder, fact_placeholder, proof_placeholder
from sphinx_djconn.ext.registry import FIGURE_MARK, DeclaredClaim, Releases

_SHARED: Final = {
    "verdict": Option(options.verdict, "what the author declares; ``holds`` unless said"),
    "class": Option(options.word, "a class of the claim, as everywhere in Sphinx"),
}
"""The options that mean the same for every claim."""


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
        **_SHARED,
    }
    about: ClassVar = "scenario or matrix"

    def run(self) -> list[nodes.Node]:
        """Register the claim, and put its sentence on the page with a placeholder for the proof."""
        name = self.arguments[0]
        box = nodes.container(classes=["djconn-claim"])
        self.set_source_info(box)
        box += self.parse_content_to_nodes()
        try:
            values = self._checked()
            searched = self.releases(values)
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
                searched,
            )
        )
        box += self.proof(target["ids"][0], values)
        return [self.index("djconn claim", name, target), target, box]

    def releases(self, values: dict[str, Any]) -> Releases | None:
        """Return the releases in which the claim is to change, where it is about that."""
        return None

    def proof(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return what keeps the place of the verdict, and of what decided it."""
        return proof_placeholder(claim=self.arguments[0], node_id=node_id)

    def _checked(self) -> dict[str, Any]:
        options.name(self.arguments[0])
        values = self.read_options()
        if "in" not in values:
            raise ValueError(f"a claim about nothing: name its {self.about} with `:in:`")
        if ("expect" in values) == ("sometimes" in values):
            raise ValueError("give it one of `:expect:` (true in every run) and `:sometimes:` (true in one)")
        if not self.content:
            raise ValueError("the sentence that it claims is missing: write it as the body")
        return values


class SinceDirective(ClaimDirective):
    """``djconn:since``: a claim, and the release from which on, or up to which, it is true."""

    options_read: ClassVar[dict[str, Option]] = {
        "in": Option(
            options.word, "the scenario that is run with each release, in place of its own environment"
        ),
        "releases": Option(
            releases.row,
            "the releases of Django, from the oldest to the newest: ``2.0 to 3.2`` for all of these series, "
            "or a list of releases (``2.1.4``), series (``4.2``, its newest) and environments of conf.py",
        ),
        "expect": Option(options.word, "an expression that is true, or not, of every run with a release"),
        "sometimes": Option(options.word, "an expression that is true of at least one run with it, or of none"),
        "since": Option(
            releases.release,
            "the release from which on it is true, and before which it is not; without a value, to be found",
        ),
        "until": Option(
            releases.release,
            "the release up to which it is true, and after which it is not; without a value, to be found",
        ),
        "show": Option(
            releases.parts,
            "parts of the evidence that are shown of the releases on both sides of the change; ``requests`` "
            "unless said, ``none`` for none",
        ),
        **_SHARED,
    }
    about: ClassVar = "scenario"

    def releases(self, values: dict[str, Any]) -> Releases:
        """Return the releases; raise :class:`OptionError` where the declared one cannot be it."""
        if "releases" not in values:
            raise ValueError("the releases are missing: name them with `:releases:`, as in `2.0 to 3.2`")
        if "since" in values and "until" in values:
            raise ValueError(
                "give it one of `:since:` (true from it on) and `:until:` (true up to it), not both"
            )
        direction = Direction.UNTIL if "until" in values else Direction.SINCE
        row, text = values["releases"], " ".join(self.options["releases"].split())
        try:
            declared = releases.declared(row, direction, values.get(direction, ""))
        except ValueError as error:
            raise OptionError(f"option `:{direction}:`: {error}", self.line_of(direction)) from None
        return Releases(
            text,
            tuple(each.name for each in row),
            tuple(each.environment for each in row),
            direction,
            declared,
        )

    def proof(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return what keeps the place of the verdict, and of the evidence of the change."""
        return proof_placeholder(
            claim=self.arguments[0], node_id=node_id, parts=" ".join(values.get("show", ("requests",)))
        )


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
    "since": SinceDirective,
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
