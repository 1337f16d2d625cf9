"""Judgements of earlier builds, which are used again if neither the claim nor its recordings have changed."""

from sphinx_djconn import __version__
from sphinx_djconn.claims.judgement import Judgement
from sphinx_djconn.ext.registry import CachedJudgement, DeclaredClaim, Registry


class JudgementCache:
    """The judgements that the environment stores, by the name of a claim, or of its cell for one release."""

    def __init__(self, registry: Registry) -> None:
        self._judgements = registry.judgements

    def get(self, name: str, claim: DeclaredClaim, recordings: str) -> Judgement | None:
        """Return the judgement ``name``, if neither ``claim`` nor the digest ``recordings`` has changed."""
        cached = self._judgements.get(name)
        if cached is None or cached.made_of != _made_of(claim, recordings):
            return None
        return cached.judgement

    def set(self, name: str, claim: DeclaredClaim, recordings: str, judgement: Judgement) -> None:
        """Store ``judgement`` for later builds."""
        self._judgements[name] = CachedJudgement(_made_of(claim, recordings), judgement)


def _made_of(claim: DeclaredClaim, recordings: str) -> tuple[str, ...]:
    parts = (claim.where, claim.expect, claim.sometimes, claim.declared, recordings, __version__)
    return tuple(str(part) for part in parts)
