"""What the directives share: options with messages of our own, a place, and the registry."""

import os
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_id

from sphinx_djconn.ext.registry import Page, Problem, Registry, SourceLocation


class Option(NamedTuple):
    """An option of a directive: how it is read, and what the reference says of it."""

    read: Callable[[str | None], Any]
    description: str


class OptionError(ValueError):
    """An option that cannot be used, and the line it is in."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Directive(SphinxDirective):
    """Reads its options by ``options_read``, and notes what is wrong in the registry."""

    options_read: ClassVar[dict[str, Option]]
    has_content = True
    option_spec: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Values are read in run(), where a bad one gets a warning of our type and a line of its own.
        cls.option_spec = dict.fromkeys(cls.options_read, lambda text: text)

    @property
    def page(self) -> Page:
        """What the page that is read declares so far."""
        return Registry(self.env.get_domain("djconn").data).page(self.env.docname)

    def place(self, line: int | None = None) -> SourceLocation:
        """Return the place of ``line``, or of the directive itself."""
        source, number = self.state_machine.get_source_and_line(line or self.lineno)
        # An included file is told as it is seen from the folder in which the build was started.
        path = os.path.abspath(source or self.env.docname)  # noqa: PTH100 - as pages name it, links and all
        return SourceLocation(self.env.docname, path, number or self.lineno)

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
                raise OptionError(f"option `:{name}:`: {error}", self.line_of(name)) from None
        return values

    def line_of(self, option: str) -> int:
        """Return the line in which ``option`` stands."""
        lines = self.block_text.splitlines()
        return self.lineno + next(
            (n for n, line in enumerate(lines) if line.strip().startswith(f":{option}:")), 0
        )

    def refuse(self, message: str, place: SourceLocation | None = None) -> None:
        """Note what is wrong; the check warns of it, in every build and not in the first one only."""
        subject = f"{self.name} `{' '.join(self.arguments)}`"
        self.page.problems.append(Problem(subject, message, place or self.place()))

    def anchor(self, kind: str, name: str) -> nodes.target:
        """Return a target with an id and an entry in the index."""
        target = nodes.target("", "", ids=[make_id(self.env, self.state.document, kind, name)])
        self.state.document.note_explicit_target(target)
        return target

    def index(self, kind: str, name: str, target: nodes.target) -> addnodes.index:
        """Return the entry in the index that leads to ``target``."""
        return addnodes.index(entries=[("single", f"{name} ({kind})", target["ids"][0], "", None)])
