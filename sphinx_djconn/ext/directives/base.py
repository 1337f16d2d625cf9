"""The base class of the directives: options with our own messages, locations, and the registry."""

import os
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_id

from sphinx_djconn.ext.registry import Page, Problem, SourceLocation, registry_of


class Option(NamedTuple):
    """An option of a directive: the function that reads it, and its description for the reference."""

    read: Callable[[str | None], Any]
    description: str


class OptionError(ValueError):
    """An invalid option, and its line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Directive(SphinxDirective):
    """Reads its options with ``options_read``, and registers problems instead of raising them."""

    options_read: ClassVar[dict[str, Option]]
    has_content = True
    option_spec: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # run() reads the values, so that a problem has our type of warning, and its own line.
        cls.option_spec = dict.fromkeys(cls.options_read, lambda text: text)

    @property
    def page(self) -> Page:
        """The page that is read, with what it declares so far."""
        return registry_of(self.env).page(self.env.docname)

    def location(self, line: int | None = None) -> SourceLocation:
        """Return the location of ``line``, or of the directive itself."""
        source, number = self.state_machine.get_source_and_line(line or self.lineno)
        # docutils gives the path of an included file relative to the current folder.
        path = os.path.abspath(source or self.env.docname)  # noqa: PTH100 - resolve() would follow links
        return SourceLocation(self.env.docname, path, number or self.lineno)

    @property
    def body_line(self) -> int:
        """The line where the body begins: MyST counts the offset from the directive."""
        first = self.content_offset + 1
        return first if first > self.lineno else first + self.lineno

    def read_options(self) -> dict[str, Any]:
        """Return the values of the options; raise :class:`OptionError` for an invalid one."""
        values = {}
        for name, text in self.options.items():
            try:
                values[name] = self.options_read[name].read(text)
            except ValueError as error:
                raise OptionError(f"option `:{name}:`: {error}", self.line_of(name)) from None
        return values

    def line_of(self, option: str) -> int:
        """Return the line of ``option``."""
        lines = self.block_text.splitlines()
        return self.lineno + next(
            (n for n, line in enumerate(lines) if line.strip().startswith(f":{option}:")), 0
        )

    def reject(self, message: str, location: SourceLocation | None = None) -> None:
        """Register a problem. The check warns of it in every build, also if this page is not read again."""
        subject = f"{self.name} `{' '.join(self.arguments)}`"
        self.page.problems.append(Problem(subject, message, location or self.location()))

    def anchor(self, kind: str, name: str) -> nodes.target:
        """Return a target whose id is made of ``kind`` and ``name``."""
        target = nodes.target("", "", ids=[make_id(self.env, self.state.document, kind, name)])
        self.state.document.note_explicit_target(target)
        return target

    def index(self, kind: str, name: str, target: nodes.target) -> addnodes.index:
        """Return the index entry of ``target``."""
        return addnodes.index(entries=[("single", f"{name} ({kind})", target["ids"][0], "", None)])
