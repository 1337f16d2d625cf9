"""The base class of the directives that run something and show evidence, and the options that they share."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

from docutils import nodes
from sphinx.config import Config

from sphinx_djconn.ext.directives import options
from sphinx_djconn.ext.directives.base import Directive, Option, OptionError
from sphinx_djconn.scenario.lexer import SequenceError
from sphinx_djconn.scenario.model import PROJECT_DEFAULT, Scenario, Sequence

_T = TypeVar("_T")

VARIABLE_OPTIONS: Final[Mapping[str, tuple[Callable[[str | None], Any], str]]] = {
    "server": (options.word, "the server's profile; ``runserver`` by default"),
    "database": (options.word, "the database's profile; ``sqlite`` by default"),
    "environment": (options.word, "the environment; ``djconn_environment`` by default"),
    "project": (options.word, "a project of ``djconn_projects``, or ``demo``"),
    "conn-max-age": (
        options.conn_max_age,
        "``CONN_MAX_AGE``: seconds, ``none`` for no limit, or nothing for the project's own setting",
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
"""The options that a matrix can vary: the function that reads a value, and a description."""


def shared_options(subject: str, show: str) -> dict[str, Option]:
    """Return the options that a scenario and a matrix share."""
    return {
        "runs": Option(options.runs, f"how many times {subject} is run; once by default"),
        "timeout": Option(
            options.seconds, "how long one run may take, in seconds; ``djconn_timeout`` by default"
        ),
        "show": Option(options.parts, show),
        "hidden": Option(lambda _: True, "run it for claims and figures, but show nothing"),
        "caption": Option(options.word, "a line above the evidence; the name by default"),
        "name": Option(options.word, "a target for ``:ref:``, as in other directives of Sphinx"),
        "class": Option(options.word, "a class of the evidence, as in other directives of Sphinx"),
    }


def make_scenario(sequence: Sequence, values: Mapping[str, Any], config: Config) -> Scenario:
    """Return the scenario of ``sequence`` with the option ``values``."""
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


class EvidenceDirective(Directive, Generic[_T]):
    """Registers a scenario or a matrix, and returns a placeholder for its evidence."""

    required_arguments = 1
    final_argument_whitespace = True
    options_read: ClassVar[dict[str, Option]] = {}
    kind: ClassVar[str]

    @abstractmethod
    def parse(self, values: dict[str, Any]) -> _T:
        """Return what the option ``values`` and the body describe; raise ``ValueError`` if they are invalid."""

    @abstractmethod
    def register(self, node_id: str, parsed: _T | None, values: dict[str, Any]) -> None:
        """Register what was parsed, or ``None`` if it is invalid."""

    @abstractmethod
    def placeholder(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the placeholder for the evidence."""

    def run(self) -> list[nodes.Node]:
        """Register it, and return a caption with the placeholder below."""
        name = self.arguments[0]
        values: dict[str, Any] = {}
        parsed = None
        try:
            options.name(name)
            values = self.read_options()
            parsed = self.parse(values)
        except SequenceError as error:
            step = self.body_line + error.line
            self.reject(str(error), self.location(step if self.content else None))
        except OptionError as error:
            self.reject(str(error), self.location(error.line))
        except ValueError as error:
            self.reject(str(error))
        target = self.anchor(f"djconn-{self.kind}", name)
        node_id = target["ids"][0]
        self.register(node_id, parsed, values)
        targets: list[nodes.Node] = [self.index(f"djconn {self.kind}", name, target), target]
        if values.get("hidden"):
            return targets
        self.page.shown.add(name)
        box = nodes.container(classes=["djconn-scenario"])
        box["classes"] += values.get("class", "").split()
        if values.get("name"):
            self.add_name(box)
        self.set_source_info(box)
        caption, messages = self.parse_inline(values.get("caption", name))
        box += nodes.paragraph("", "", *caption, classes=["djconn-caption"])
        box += self.placeholder(node_id, values)
        return [*targets, box, *messages]

    @property
    def body_offset(self) -> int:
        """How many lines below the directive its body begins."""
        return self.body_line - self.lineno
