"""``djconn:since``: a claim about releases of Django."""

from typing import Any, ClassVar

from docutils import nodes

from sphinx_djconn.claims.bisect import Direction
from sphinx_djconn.ext.directives import options, release_options
from sphinx_djconn.ext.directives.base import Option, OptionError
from sphinx_djconn.ext.directives.claim import SHARED_OPTIONS, ClaimDirective
from sphinx_djconn.ext.placeholders import proof_placeholder
from sphinx_djconn.ext.registry import Releases


class SinceDirective(ClaimDirective):
    """``djconn:since``: a claim, and the release since which, or until which, it is true."""

    options_read: ClassVar[dict[str, Option]] = {
        "in": Option(
            options.word, "the scenario, which is run with each release instead of its own environment"
        ),
        "releases": Option(
            release_options.releases,
            "the releases of Django, from the oldest to the newest: ``2.0 to 3.2`` for all of these series, "
            "or a list of releases (``2.1.4``), series (``4.2``, its newest) and environments of conf.py",
        ),
        "expect": Option(options.word, "an expression that is true in every run with a release, or not"),
        "sometimes": Option(
            options.word, "an expression that is true in at least one run with a release, or in none"
        ),
        "since": Option(
            release_options.release,
            "the first release in which it is true; without a value, the check finds it",
        ),
        "until": Option(
            release_options.release,
            "the last release in which it is true; without a value, the check finds it",
        ),
        "show": Option(
            release_options.parts,
            "parts of the evidence to show for the releases on both sides of the change; ``requests`` by "
            "default, ``none`` for none",
        ),
        **SHARED_OPTIONS,
    }
    about: ClassVar = "scenario"

    def releases(self, values: dict[str, Any]) -> Releases:
        """Return the releases; raise :class:`OptionError` if the declared one is not among them."""
        if "releases" not in values:
            raise ValueError("the releases are missing: name them with `:releases:`, as in `2.0 to 3.2`")
        if "since" in values and "until" in values:
            raise ValueError(
                "give it one of `:since:` (true from it on) and `:until:` (true up to it), not both"
            )
        direction = Direction.UNTIL if "until" in values else Direction.SINCE
        releases, text = values["releases"], " ".join(self.options["releases"].split())
        try:
            position = release_options.declared_position(releases, direction, values.get(direction, ""))
        except ValueError as error:
            raise OptionError(f"option `:{direction}:`: {error}", self.line_of(direction)) from None
        return Releases(
            text,
            tuple(release.name for release in releases),
            tuple(release.environment for release in releases),
            direction,
            position,
        )

    def proof(self, node_id: str, values: dict[str, Any]) -> nodes.Element:
        """Return the placeholder for the verdict, and for the evidence of the change."""
        return proof_placeholder(
            claim=self.arguments[0], node_id=node_id, parts=" ".join(values.get("show", ("requests",)))
        )
