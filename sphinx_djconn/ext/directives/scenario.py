"""The directives that run something: a scenario, and a matrix of scenarios."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from docutils import nodes
from sphinx.config import Config

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.evidence.matrix_table import DEFAULT_FACTS
from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS
from sphinx_djconn.ext.directives import options
from sphinx_djconn.ext.directives.base import Directive, Option, OptionError
from sphinx_djconn.ext.placeholders import evidence_placeholder, matrix_placeholder
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario, figure_expression
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.lexer import SequenceError
from sphinx_djconn.scenario.matrix import SEQUENCE, Axis, Cell, cell_label, expand
from sphinx_djconn.scenario.model import PROJECT_DEFAULT, Scenario, Sequence
from sphinx_djconn.scenario.titled_sequences import parse_sequences

_T = TypeVar("_T")

_MOST_CELLS: Final = 1000

_VARIABLE: Final[Mapping[str, tuple[Callable[[str | None], Any], str]]] = {
    "server": (options.word, "the server's profile; ``runserver`` unless said"),
    "database": (options.word, "the database's profile; ``sqlite`` unless said"),
    "environment": (options.word, "the environment; ``djconn_environment`` unless said"),
    "project": (options.word, "a project of ``djconn_projects``, or ``demo``"),
    "conn-max-age": (
        options.conn_max_age,
        "``CONN_MAX_AGE``: seconds, ``none``, or nothing for the project's own",
    ),
    "conn-health-checks": (options.boolean, "``CONN_HEALTH_CHECKS``: true or false"),
    "garbage-collection": (
        options.garbage_collection,
        (
            "when Python's garbage collector can run in the server's processes: ``automatic``, ``off`` or "
            "``each-request``; ``djconn_garbage_collection`` by default"
        ),
    ),
}
"""What a matrix can vary: how a value is read, and what the reference says of it."""


def _shared(subject: str, show: str) -> dict[str, Option]:
    """Return the options that mean the same for a scenario and a matrix."""
    return {
        "runs": Option(options.runs, f"how many times {subject} is run; once unless said"),
        "timeout": Option(
            options.seconds, "how long one run may take, in seconds; ``djconn_timeout`` unless said"
        ),
        "show": Option(options.parts, show),
        "hidden": Option(lambda _: True, "run it, for claims and figures, and show nothing"),
        "caption": Option(options.word, "a line above the evidence; the name unless said"),
        "name": Option(options.word, "a target for ``:ref:``, as everywhere in Sphinx"),
        "class": Option(options.word, "a class of the evidence, as everywhere in Sphinx"),
    }


class _Running(Directive, Generic[_T]):
    """Registers what is to be run, and leaves a placeholder for the evidence."""

    required_arguments = 1
    final_argument_whitespace = True
    options_read: ClassVar[dict[str, Option]] = {}
    kind: ClassVar[str]

    @abstractmethod
    def made(self, values: dict[str, Any]) -> _T:
        """Return what options and body say; raise ``ValueError`` where they cannot be used."""

    @abstractmethod
    def declare(self, node_id: str, made: _T | None, values: dict[str, Any]) -> None:
        """Register what was made, or that it was refused."""

    @abstractmethod
    def placeholder(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return what keeps the place of the evidence."""

    def run(self) -> list[nodes.Node]:
        """Register it, and leave the placeholder below its caption."""
        name = self.arguments[0]
        values: dict[str, Any] = {}
        made = None
        try:
            options.name(name)
            values = self.read_options()
            made = self.made(values)
        except SequenceError as error:
            step = self.body_line + error.line
            self.refuse(str(error), self.place(step if self.content else None))
        except OptionError as error:
            self.refuse(str(error), self.place(error.line))
        except ValueError as error:
            self.refuse(str(error))
        target = self.anchor(f"djconn-{self.kind}", name)
        node_id = target["ids"][0]
        self.declare(node_id, made, values)
        found: list[nodes.Node] = [self.index(f"djconn {self.kind}", name, target), target]
        if values.get("hidden"):
            return found
        self.page.shown.add(name)
        box = nodes.container(classes=["djconn-scenario"])
        box["classes"] += values.get("class", "").split()
        if values.get("name"):
            self.add_name(box)
        self.set_source_info(box)
        caption, messages = self.parse_inline(values.get("caption", name))
        box += nodes.paragraph("", "", *caption, classes=["djconn-caption"])
        box += self.placeholder(node_id, values)
        return [*found, box, *messages]

    @property
    def body_offset(self) -> int:
        """How many lines below the directive its body begins."""
        return self.body_line - self.lineno


def _scenario(sequence: Sequence, values: Mapping[str, Any], config: Config) -> Scenario:
    return Scenario(
        sequence,
        server=values.get("server", "runserver"),
        database=values.get("database", "sqlite"),
        environment=values.get("environment", config.djconn_environment),
        project=values.get("project", "default"),
        conn_max_age=values.get("conn-max-age", PROJECT_DEFAULT),
        conn_health_checks=values.get("conn-health-checks"),
        garbage_collection=values.get("garbage-collection", config.djconn_garbage_collection),
        runs=values.get("runs", 1),
        timeout=values.get("timeout"),
    )


class ScenarioDirective(_Running[Scenario]):
    """``djconn:scenario``: runs the sequence in its body and shows the evidence."""

    kind = "scenario"
    options_read: ClassVar[dict[str, Option]] = {
        **{name: Option(options.single(read), meaning) for name, (read, meaning) in _VARIABLE.items()},
        **_shared("it", f"parts of the evidence, in order, out of {', '.join(PARTS)}"),
    }

    def made(self, values: dict[str, Any]) -> Scenario:
        """Return the scenario."""
        return _scenario(parse_sequence("\n".join(self.content)), values, self.config)

    def declare(self, node_id: str, made: Scenario | None, values: dict[str, Any]) -> None:
        """Register the scenario."""
        name = self.arguments[0]
        self.page.scenarios.append(DeclaredScenario(name, self.place(), node_id, made, self.body_offset))

    def placeholder(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the place of the evidence, with the parts that it shows."""
        parts = " ".join(values.get("show", DEFAULT_PARTS))
        return evidence_placeholder(scenario=self.arguments[0], node_id=node_id, parts=parts)


class _Made(NamedTuple):
    axes: tuple[Axis, ...]
    facts: tuple[str, ...]
    cells: tuple[Cell, ...]


class MatrixDirective(_Running[_Made]):
    """``djconn:matrix``: the same sequences in all combinations of what varies, in one table."""

    kind = "matrix"
    options_read: ClassVar[dict[str, Option]] = {
        **{
            name: Option(options.several(read), f"{meaning}; a list is an axis")
            for name, (read, meaning) in _VARIABLE.items()
        },
        "facts": Option(
            options.facts,
            f"the facts that the table has of each cell; ``{', '.join(DEFAULT_FACTS)}`` unless said",
        ),
        **_shared(
            "each cell",
            f"parts of the evidence of each cell, folded below the table, out of {', '.join(PARTS)}; "
            "none unless said",
        ),
    }

    def made(self, values: dict[str, Any]) -> _Made:
        """Return axes, facts, and a cell for each combination of the values."""
        lists = {name: value for name, value in values.items() if isinstance(value, options.Several)}
        axes = [Axis(name, values[name].values) for name in self.options if name in lists]
        found = parse_sequences(list(self.content))
        sequences = {"": found} if isinstance(found, Sequence) else found
        if not isinstance(found, Sequence):
            axes.append(Axis(SEQUENCE, tuple(found)))
        if not axes:
            raise ValueError(
                "nothing varies in it: give an option a list, as in `:conn-max-age: none, 0`, or give "
                "sequences titles; for one scenario use djconn:scenario"
            )
        count = 1
        for axis in axes:
            count *= len(axis.values)
        if count > _MOST_CELLS:
            told = " x ".join(f"{len(axis.values)} of `{axis.name}`" for axis in axes)
            raise ValueError(f"{count:,} cells ({told}) are more than {_MOST_CELLS:,}; split the matrix")
        facts = values.get("facts", DEFAULT_FACTS)
        fixed = {name: value for name, value in values.items() if name not in lists}
        base, *_ = scenarios = [_scenario(sequence, fixed, self.config) for sequence in sequences.values()]
        self._check_facts(facts, scenarios)
        return _Made(tuple(axes), facts, tuple(expand(base, axes, sequences)))

    def _check_facts(self, facts: tuple[str, ...], scenarios: list[Scenario]) -> None:
        """Refuse a fact that no cell has: one of a label may be missing in some."""
        for fact in facts:
            errors = []
            for scenario in scenarios:
                try:
                    figure_expression(fact, scenario)
                except ExpressionError as error:
                    errors.append(error)
            if len(errors) == len(scenarios):
                raise OptionError(f"option `:facts:`: {errors[0]}", self.line_of("facts"))

    def declare(self, node_id: str, made: _Made | None, values: dict[str, Any]) -> None:
        """Register the matrix and its cells, each of which has a place in the table to link to."""
        name, cells = self.arguments[0], []
        axes, facts, expanded = made or _Made((), (), ())
        for cell in expanded:
            label = cell_label(axes, cell.values, ",")
            own = node_id if values.get("hidden") else self.anchor(node_id, label)["ids"][0]
            cells.append(
                DeclaredScenario(
                    f"{name}[{label}]",
                    self.place(),
                    own,
                    cell.scenario,
                    self.body_offset,
                    name,
                    cell.values,
                )
            )
        self.page.scenarios.append(DeclaredMatrix(name, self.place(), node_id, axes, facts, tuple(cells)))

    def placeholder(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the place of the table, with the parts that each cell shows."""
        parts = " ".join(values.get("show", ()))
        return matrix_placeholder(matrix=self.arguments[0], node_id=node_id, parts=parts)
