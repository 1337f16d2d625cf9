"""The domain ``djconn``: names, links, and the data that the environment stores between builds."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.nodes import Element
from docutils.parsers.rst import Directive
from sphinx.addnodes import pending_xref
from sphinx.builders import Builder
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from sphinx_djconn.ext.badges import claim_badge
from sphinx_djconn.ext.registry import (
    DATA_VERSION,
    INITIAL_DATA,
    Declaration,
    DomainObject,
    Registry,
)
from sphinx_djconn.ext.roles import FactRole, LinkRole

if TYPE_CHECKING:  # an unchanged build does not import these two
    from sphinx_djconn.ext.results import Results
    from sphinx_djconn.lab.laboratory import Laboratory


class DjconnDomain(Domain):
    """Scenarios, matrices and claims. Only ``data`` is stored in the environment."""

    name = "djconn"
    label = "Django connections"
    object_types: ClassVar[dict[str, ObjType]] = {
        "scenario": ObjType("scenario", "scenario"),
        "matrix": ObjType("matrix", "scenario"),
        "claim": ObjType("claim", "claim"),
    }
    roles: ClassVar[dict[str, Any]] = {
        "scenario": LinkRole(innernodeclass=nodes.inline, warn_dangling=True),
        "claim": LinkRole(innernodeclass=nodes.inline, warn_dangling=True),
        "fact": FactRole(),
    }
    dangling_warnings: ClassVar[dict[str, str]] = {
        "scenario": "no djconn:scenario or djconn:matrix is named `%(target)s`",
        "claim": "no djconn:claim is named `%(target)s`",
    }
    initial_data: ClassVar[dict[str, Any]] = INITIAL_DATA
    data_version = DATA_VERSION

    laboratory: "Laboratory | None" = None
    """Runs the scenarios of this build, if pages are read."""

    run_check: "Callable[[], Results] | None" = None
    """Runs the check. It is set when all pages are read."""

    checked: "Results | None" = None
    """The results, if this build has run the check."""

    output_format: str = ""
    """The format that this build writes, such as ``html``."""

    def directive(self, name: str) -> type[Directive] | None:
        """Return the directive ``name``."""
        # Only builds that read a page need them. Importing them takes 8 % of a build that reads none.
        from sphinx_djconn.ext.directives import DIRECTIVES  # noqa: PLC0415

        self.directives.update({**DIRECTIVES, **self.directives})
        return super().directive(name)

    @property
    def registry(self) -> Registry:
        """The declarations of all pages."""
        return Registry(self.data)

    @property
    def results(self) -> "Results | None":
        """The results, for which the check runs once; ``None`` before all pages are read."""
        if self.checked is None and self.run_check is not None:
            self.checked = self.run_check()
        return self.checked

    def clear_doc(self, docname: str) -> None:
        """Remove what ``docname`` declares."""
        self.registry.purge(docname)

    def merge_domaindata(self, docnames: Any, otherdata: Any) -> None:
        """Add what another process has read of ``docnames``."""
        self.registry.merge(set(docnames), otherdata)

    def get_objects(self) -> Iterable[DomainObject]:
        """Return every scenario, matrix and claim, for ``objects.inv`` and the search."""
        return self.registry.objects()

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

        A link to a claim shows its verdict, unless the node is ``bare``.
        """
        declared = self._declaration(typ, target)
        if declared is None:
            return None
        content: list[nodes.Node] = [contnode]
        bare = node.get("bare", False)
        if typ == "claim" and self.results is not None and not bare:
            content += [nodes.Text(" "), claim_badge(self.results.claims[target], self.results)]
        return make_refnode(builder, fromdocname, declared.location.docname, declared.node_id, content, target)

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
        links = []
        for typ in ("scenario", "claim"):
            link = self.resolve_xref(env, fromdocname, builder, typ, target, node, contnode)
            if link is not None:
                links.append((f"djconn:{typ}", link))
        return links

    def _declaration(self, typ: str, target: str) -> Declaration | None:
        registry = self.registry
        if typ == "claim":
            return registry.claims().get(target)
        return registry.declarations().get(target) or registry.scenarios().get(target)


def domain_of(env: BuildEnvironment) -> DjconnDomain:
    """Return the domain of ``env``."""
    domain = env.get_domain(DjconnDomain.name)
    assert isinstance(domain, DjconnDomain)
    return domain
