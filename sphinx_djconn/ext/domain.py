"""The domain ``djconn``: names, links, and the data that survives from one build to the next."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.nodes import Element
from docutils.parsers.rst import Directive
from sphinx.addnodes import pending_xref
from sphinx.builders import Builder
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

from sphinx_djconn.ext.packed import Object, PickledDeclarations

if TYPE_CHECKING:
    from sphinx_djconn.ext.registry import DeclaredClaim, DeclaredMatrix, DeclaredScenario, Registry
    from sphinx_djconn.ext.results import Results
    from sphinx_djconn.lab.laboratory import Laboratory


class FactRole(SphinxRole):
    """``:djconn:fact:`keep-alive threads```: a figure of a scenario, in a sentence."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Register the use of the figure, and leave a placeholder for it."""
        from sphinx_djconn.ext.placeholders import fact_placeholder  # noqa: PLC0415
        from sphinx_djconn.ext.registry import FactUse, SourceLocation  # noqa: PLC0415
        from sphinx_djconn.ext.targets import split_figure  # noqa: PLC0415 - where no page is read, nobody needs it

        scenario, expression = split_figure(self.text)
        source, line = self.get_source_info()
        place = SourceLocation(self.env.docname, str(source or self.env.docname), line or 0)
        page = domain_of(self.env).registry.page(self.env.docname)
        page.facts.append(FactUse(place, scenario, expression))
        placeholder = fact_placeholder(
            "", self.text, scenario=scenario, expression=expression, classes=["djconn-fact"]
        )
        placeholder.source, placeholder.line = place.source, place.line
        return [placeholder], []


class _LinkRole(XRefRole):
    """A link to a scenario or claim: a page that shows a verdict is written when that changes."""

    def process_link(
        self,
        env: BuildEnvironment,
        refnode: Element,
        has_explicit_title: bool,
        title: str,
        target: str,
    ) -> tuple[str, str]:
        """Note that the page links to ``target``."""
        domain_of(env).registry.page(env.docname).linked.add(target)
        return super().process_link(env, refnode, has_explicit_title, title, target)


class DjconnDomain(Domain):
    """Scenarios, matrices and claims."""

    name = "djconn"
    label = "Django connections"
    object_types: ClassVar[dict[str, ObjType]] = {
        "scenario": ObjType("scenario", "scenario"),
        "matrix": ObjType("matrix", "scenario"),
        "claim": ObjType("claim", "claim"),
    }
    roles: ClassVar[dict[str, Any]] = {
        "scenario": _LinkRole(innernodeclass=nodes.inline, warn_dangling=True),
        "claim": _LinkRole(innernodeclass=nodes.inline, warn_dangling=True),
        "fact": FactRole(),
    }
    dangling_warnings: ClassVar[dict[str, str]] = {
        "scenario": "no djconn:scenario or djconn:matrix is named `%(target)s`",
        "claim": "no djconn:claim is named `%(target)s`",
    }
    initial_data: ClassVar[dict[str, Any]] = {"kept": None}
    data_version = 5

    laboratory: "Laboratory | None" = None
    """Where this build runs scenarios, from the time when it begins to read pages; never pickled."""

    found: "Results | None" = None
    """What this build has found out; never pickled."""

    postponed: "Callable[[], Results] | None" = None
    """Finds it out, in a build in which that may not be necessary; never pickled."""

    format: str = ""
    """What this build writes, as its builder names it; never pickled."""

    def directive(self, name: str) -> type[Directive] | None:
        """Return the directive ``name``. With the first of them comes what only the reading of pages needs."""
        from sphinx_djconn.ext.directives.claim import DIRECTIVES  # noqa: PLC0415

        self.directives.update({**DIRECTIVES, **self.directives})
        return super().directive(name)

    @property
    def registry(self) -> "Registry":
        """The declarations of all pages."""
        from sphinx_djconn.ext.registry import Registry  # noqa: PLC0415 - as above

        return Registry(self.data)

    @property
    def results(self) -> "Results | None":
        """What this build finds out; ``None`` before all pages are read."""
        if self.found is None and self.postponed is not None:
            self.found = self.postponed()
        return self.found

    def clear_doc(self, docname: str) -> None:
        """Forget what ``docname`` declares."""
        self.registry.purge(docname)

    def merge_domaindata(self, docnames: Any, otherdata: Any) -> None:
        """Take over what another process has read of ``docnames``."""
        self.registry.merge(set(docnames), otherdata)

    def get_objects(self) -> Iterable[Object]:
        """Return every scenario, matrix and claim, for ``objects.inv`` and the search."""
        kept = self.data["kept"]
        return kept.objects if isinstance(kept, PickledDeclarations) else self.registry.objects()

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> nodes.reference | None:
        """Return the link to the scenario, cell, matrix or claim ``target``.

        That to a claim shows its verdict, unless it is bare.
        """
        found = self._named(typ, target)
        if found is None:
            return None
        content: list[nodes.Node] = [contnode]
        bare = node.get("bare", False)
        if typ == "claim" and self.results is not None and not bare:
            from sphinx_djconn.ext.badges import claim_badge  # noqa: PLC0415 - as above

            content += [nodes.Text(" "), claim_badge(self.results.claims[target], self.results)]
        return make_refnode(builder, fromdocname, found.place.docname, found.node_id, content, target)

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> list[tuple[str, nodes.reference]]:
        """Return the links that ``:any:`` could mean."""
        found = []
        for typ in ("scenario", "claim"):
            link = self.resolve_xref(env, fromdocname, builder, typ, target, node, contnode)
            if link is not None:
                found.append((f"djconn:{typ}", link))
        return found

    def _named(self, typ: str, target: str) -> "DeclaredScenario | DeclaredMatrix | DeclaredClaim | None":
        if typ == "claim":
            return self.registry.claims().get(target)
        return self.registry.declared().get(target) or self.registry.scenarios().get(target)


def domain_of(env: BuildEnvironment) -> DjconnDomain:
    """Return the domain of ``env``."""
    domain = env.get_domain(DjconnDomain.name)
    assert isinstance(domain, DjconnDomain)
    return domain
