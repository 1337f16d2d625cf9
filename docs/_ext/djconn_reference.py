"""Directives for the reference: they generate parts of it from the package.

``djconn-table`` shows a table of facts, parts or profiles, ``djconn-options`` the options of a directive,
``djconn-settings`` the values of conf.py, ``djconn-form`` the literal block in a module's docstring,
``djconn-steps`` a list of steps, which the grammar has to accept, and ``djconn-example`` the source of a
part of a page with its output.
"""

import importlib
import inspect
import json
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from docutils import nodes
from packaging.requirements import Requirement
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from sphinx_djconn.claims.functions import FUNCTIONS
from sphinx_djconn.evidence.nodes import table
from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS
from sphinx_djconn.ext.config import described
from sphinx_djconn.ext.directives import DIRECTIVES
from sphinx_djconn.lab.environments.python_versions import SERIES, supported_pythons
from sphinx_djconn.lab.profiles.databases import DATABASES
from sphinx_djconn.lab.profiles.servers import PLACEHOLDERS, SERVERS
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.lexer import SequenceError
from sphinx_djconn.trace.fact_table import FACTS, REQUEST_FACTS

Rows = Iterator[Sequence[str]]

_FUNCTIONS: Final = {
    "all": "whether all of a list of truths are true",
    "any": "whether any of a list of truths is true",
    "len": "how many there are in a list",
    "max": "the greatest of a list of numbers, or of several numbers",
    "min": "the least of a list of numbers, or of several numbers",
    "overlap": (
        "whether the requests with these two labels were inside Django's handler at the same time; their views "
        "may have run one after the other. ``overlap(a.view, b.view)`` asks whether the views ran at one time"
    ),
    "set": "the different values in a list",
}


def _facts() -> Rows:
    return ((f"``{name}``", str(fact.type), fact.description) for name, fact in FACTS.items())


def _request_facts() -> Rows:
    return ((f"``LABEL.{name}``", str(fact.type), fact.description) for name, fact in REQUEST_FACTS.items())


def _functions() -> Rows:
    return ((f"``{name}``", _FUNCTIONS[name]) for name in FUNCTIONS)


def _parts() -> Rows:
    for name, part in PARTS.items():
        yield f"``{name}``", part.description, "yes" if name in DEFAULT_PARTS else "no"


def _servers() -> Rows:
    for name, server in SERVERS.items():
        words = [f"{key}={value}" for key, value in server.env if key.endswith("_ARGS")]
        command = " ".join([*words, *server.command]).replace("{python}", "python")
        needs = ", ".join(f"``{package}``" for package in server.requires) or "nothing more"
        yield f"``{name}``", f"``{command}``", needs, "yes" if server.reloads else "no"


def _places() -> Rows:
    return ((f"``{{{name}}}``", meaning) for name, meaning in PLACEHOLDERS.items())


_NEEDS: Final = {
    "sqlite": "nothing more",
    "postgresql": "``sphinx-djconn[postgresql]``",
    "mariadb": "``sphinx-djconn[mariadb]``, and the system's server",
}


def _databases() -> Rows:
    for name, database in DATABASES.items():
        options = f"``{json.dumps(dict(database.options))}``" if database.options else "the project's own"
        yield f"``{name}``", database.title, options, _NEEDS[database.kind]


def _environments() -> Rows:
    for major, minor in SERIES:
        supported = supported_pythons(Requirement(f"django~={major}.{minor}.0"))
        yield f"``django-{major}.{minor}``", str(supported)


_TABLES: Final = {
    "databases": ([("Name", 20), ("Database", 30), ("``OPTIONS``", 28), ("Needs", 22)], _databases),
    "environments": ([("Name", 40), ("Pythons that it supports", 60)], _environments),
    "facts": ([("Fact", 25), ("Type", 20), ("Meaning", 55)], _facts),
    "functions": ([("Function", 30), ("Value", 70)], _functions),
    "parts": ([("Part", 20), ("Shows", 60), ("By default", 20)], _parts),
    "request-facts": ([("Fact", 30), ("Type", 25), ("Meaning", 45)], _request_facts),
    "places": ([("Word", 25), ("Stands for", 75)], _places),
    "servers": ([("Name", 22), ("Command", 45), ("Needs", 20), ("``reload``", 13)], _servers),
}


class TableDirective(SphinxDirective):
    """``djconn-table``: one of the package's tables, by name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        columns, rows = _TABLES[self.arguments[0]]
        titles = [title.strip("`") for title, _ in columns]
        widths = [width for _, width in columns]
        cells = [[self.parse_inline(cell)[0] for cell in row] for row in rows()]
        return [table(list(zip(titles, widths, strict=True)), cells)]


class OptionsDirective(SphinxDirective):
    """``djconn-options``: the options of a directive of the domain."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a description of each option."""
        directive = DIRECTIVES[self.arguments[0].removeprefix("djconn:")]
        lines = []
        for name, option in directive.options_read.items():
            lines += [f".. rst:directive:option:: {name}", "", f"   {_sentence(option.description)}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class SettingsDirective(SphinxDirective):
    """``djconn-settings``: the values of conf.py."""

    def run(self) -> list[nodes.Node]:
        """Return a description of each value."""
        lines = []
        for name, (default, meaning) in described().items():
            lines += [f".. confval:: {name}", f"   :default: ``{default!r}``", ""]
            lines += [f"   {_sentence(meaning)}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class FormDirective(SphinxDirective):
    """``djconn-form``: the literal block in the docstring of a module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        docstring = inspect.getdoc(importlib.import_module(self.arguments[0])) or ""
        _, _, after = docstring.partition("::\n")
        block = re.match(r"\n*((?:    .*\n|\n)+)", after)
        if block is None:
            raise self.error(f"the docstring of {self.arguments[0]} has no literal block")
        text = inspect.cleandoc("\n" + block[1])
        return [nodes.literal_block(text, text, language="text")]


class StepsDirective(SphinxDirective):
    """``djconn-steps``: a definition list whose terms are steps of a sequence."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the list; raise an error for a term that is not a step."""
        parsed = self.parse_content_to_nodes()
        for node in parsed:
            for term in node.findall(nodes.term):
                text = term.astext()
                self._check(text)
                term.children = []
                term.append(nodes.literal(text, text))
        return parsed

    def _check(self, text: str) -> None:
        below = "\n  2 x new client: GET /" if text == "together:" else ""
        try:
            parse_sequence(f"browser: GET /\n{text}{below}")
        except SequenceError as error:
            raise self.error(f"`{text}`: {error}") from error


class ExampleDirective(SphinxDirective):
    """``djconn-example``: a part of a page, its source and its output."""

    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Return the source in a literal block, and the output."""
        text = "\n".join(self.content)
        source = nodes.literal_block(text, text, language="rst")
        return [source, *self.parse_content_to_nodes()]


def _sentence(text: str) -> str:
    """Return ``text`` with a capital at its beginning and a full stop at its end."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("djconn-table", TableDirective)
    app.add_directive("djconn-options", OptionsDirective)
    app.add_directive("djconn-settings", SettingsDirective)
    app.add_directive("djconn-form", FormDirective)
    app.add_directive("djconn-steps", StepsDirective)
    app.add_directive("djconn-example", ExampleDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
