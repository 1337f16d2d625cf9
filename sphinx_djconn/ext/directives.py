"""The directives. They read and register; nothing runs while pages are read."""

import os
from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_id

from sphinx_djconn.claims import Verdict
from sphinx_djconn.evidence import DEFAULT_PARTS, PARTS
from sphinx_djconn.ext import options
from sphinx_djconn.ext.nodes import (
    claims_placeholder,
    evidence_placeholder,
    fact_placeholder,
    proof_placeholder,
)
from sphinx_djconn.ext.registry import (
    FIGURE_MARK,
    DeclaredClaim,
    DeclaredScenario,
    Page,
    Place,
    Problem,
    Registry,
)
from sphinx_djconn.scenario import PROJECT_DEFAULT, Scenario, SequenceError, parse_sequence


class Option(NamedTuple):
    """An option of a directive: how it is read, and what the reference says of it."""

    read: Callable[[str | None], Any]
    description: str


class OptionError(ValueError):
    """An option that cannot be used, and the line it is in."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Directive(SphinxDirective):
    """What our directives share: options with messages of our own, a place, and the registry."""

    options_read: ClassVar[dict[str, Option]]
    has_content = True
    option_spec: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Values are read in run(), where a bad one gets a warning of our type and a line of its own.
        cls.option_spec = dict.fromkeys(cls.options_read, lambda text: text)

    @property
    def page(self) -> Page:
        return Registry(self.env.get_domain("djconn").data).page(self.env.docname)

    def place(self, line: int | None = None) -> Place:
        source, number = self.state_machine.get_source_and_line(line or self.lineno)
        # An included file is told as it is seen from the folder in which the build was started.
        path = os.path.abspath(source or self.env.docname)  # noqa: PTH100 - as pages name it, links and all
        return Place(self.env.docname, path, number or self.lineno)

    @property
    def body_line(self) -> int:
        """The line of the body's first line: MyST counts its offset from the directive on."""
        first = self.content_offset + 1
        return first if first > self.lineno else first + self.lineno

    def read_options(self) -> dict[str, Any]:
        """Return the options' values; raise :class:`OptionError` for one that cannot be used."""
        values = {}
        for name, text in self.options.items():
            try:
                values[name] = self.options_read[name].read(text)
            except ValueError as error:
                raise OptionError(f"option `:{name}:`: {error}", self._line_of(name)) from None
        return values

    def _line_of(self, option: str) -> int:
        """Return the line in which ``option`` stands."""
        lines = self.block_text.splitlines()
        return self.lineno + next(
            (n for n, line in enumerate(lines) if line.strip().startswith(f":{option}:")), 0
        )

    def refuse(self, message: str, place: Place | None = None) -> None:
        """Note what is wrong; the check warns of it, in every build and not in the first one only."""
        subject = f"{self.name} `{' '.join(self.arguments)}`"
        self.page.problems.append(Problem(subject, message, place or self.place()))

    def anchor(self, kind: str, name: str) -> nodes.target:
        """Return a target with an id and an entry in the index."""
        target = nodes.target("", "", ids=[make_id(self.env, self.state.document, kind, name)])
        self.state.document.note_explicit_target(target)
        return target

    def index(self, kind: str, name: str, target: nodes.target) -> addnodes.index:
        return addnodes.index(entries=[("single", f"{name} ({kind})", target["ids"][0], "", None)])


class ScenarioDirective(_Directive):
    """``djconn:scenario``: runs the sequence in its body and shows the evidence."""

    required_arguments = 1
    final_argument_whitespace = True
    options_read: ClassVar[dict[str, Option]] = {
        "server": Option(options.word, "the server's profile; ``runserver`` unless said"),
        "database": Option(options.word, "the database's profile; ``sqlite`` unless said"),
        "environment": Option(options.word, "the environment's profile; ``current`` unless said"),
        "project": Option(options.word, "a project of ``djconn_projects``, or ``demo``"),
        "conn-max-age": Option(
            options.conn_max_age,
            "``CONN_MAX_AGE``: seconds, ``none``, or nothing for the project's own",
        ),
        "conn-health-checks": Option(options.boolean, "``CONN_HEALTH_CHECKS``: true or false"),
        "runs": Option(options.runs, "how many times it is run; once unless said"),
        "timeout": Option(
            options.seconds, "how long one run may take, in seconds; ``djconn_timeout`` unless said"
        ),
        "show": Option(options.parts, f"parts of the evidence, in order, out of {', '.join(PARTS)}"),
        "hidden": Option(lambda _: True, "run it, for claims and figures, and show nothing"),
        "caption": Option(options.word, "a line above the evidence; the name unless said"),
        "name": Option(options.word, "a target for ``:ref:``, as everywhere in Sphinx"),
        "class": Option(options.word, "a class of the evidence, as everywhere in Sphinx"),
    }

    def run(self) -> list[nodes.Node]:
        """Register the scenario, and leave a placeholder for its evidence."""
        name = self.arguments[0]
        values: dict[str, Any] = {}
        scenario = None
        try:
            options.name(name)
            values = self.read_options()
            scenario = self._scenario(values)
        except SequenceError as error:
            step = self.body_line + error.line
            self.refuse(str(error), self.place(step if self.content else None))
        except OptionError as error:
            self.refuse(str(error), self.place(error.line))
        except ValueError as error:
            self.refuse(str(error))
        target = self.anchor("djconn-scenario", name)
        self.page.scenarios.append(
            DeclaredScenario(name, self.place(), target["ids"][0], scenario, self.body_line - self.lineno)
        )
        found: list[nodes.Node] = [self.index("djconn scenario", name, target), target]
        if values.get("hidden"):
            return found
        self.page.shown.add(name)
        box = nodes.container(classes=["djconn-scenario"])
        box["classes"] += values.get("class", "").split()
        if "name" in self.options:
            self.add_name(box)
        self.set_source_info(box)
        caption, messages = self.parse_inline(values.get("caption", name))
        box += nodes.paragraph("", "", *caption, classes=["djconn-caption"])
        box += evidence_placeholder(
            scenario=name,
            node_id=target["ids"][0],
            parts=" ".join(values.get("show", DEFAULT_PARTS)),
        )
        return [*found, box, *messages]

    def _scenario(self, values: dict[str, Any]) -> Scenario:
        return Scenario(
            parse_sequence("\n".join(self.content)),
            server=values.get("server", "runserver"),
            database=values.get("database", "sqlite"),
            environment=values.get("environment", "current"),
            project=values.get("project", "default"),
            conn_max_age=values.get("conn-max-age", PROJECT_DEFAULT),
            conn_health_checks=values.get("conn-health-checks"),
            runs=values.get("runs", 1),
            timeout=values.get("timeout"),
        )


class ClaimDirective(_Directive):
    """``djconn:claim``: a sentence, and the expression that decides it."""

    required_arguments = 1
    final_argument_whitespace = True
    options_read: ClassVar[dict[str, Option]] = {
        "in": Option(options.word, "the scenario whose evidence decides it"),
        "expect": Option(options.word, "an expression that is true in every run"),
        "sometimes": Option(options.word, "an expression that is true in at least one run"),
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
                values["in"],
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
            raise ValueError("a claim about nothing: name its scenario with `:in:`")
        if ("expect" in values) == ("sometimes" in values):
            raise ValueError("give it one of `:expect:` (true in every run) and `:sometimes:` (true in one)")
        if not self.content:
            raise ValueError("the sentence that it claims is missing: write it as the body")
        return values


class ClaimsDirective(_Directive):
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
    "claim": ClaimDirective,
    "claims": ClaimsDirective,
}
"""The directives of the domain, by name."""


def _sentence(box: nodes.container) -> str:
    """Return the text of a claim, with marks around the figures that are not known yet."""
    copy = box.deepcopy()
    for fact in list(copy.findall(fact_placeholder)):
        marked = f"{FIGURE_MARK}{fact['scenario']} {fact['expression']}{FIGURE_MARK}"
        fact.parent.replace(fact, nodes.Text(marked))
    return " ".join(copy.astext().split())
