"""The value of a fact that a run cannot know. It is not ``None``, which says that there was none."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact whose value the run cannot know.

    ``reason`` completes "is not known: …", for example ``Django's handler never saw the request``.
    """

    reason: str
