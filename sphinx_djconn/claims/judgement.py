"""What a claim was judged to be. Sphinx's environment stores these values."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """The result of judging a claim."""

    HOLDS = "holds"
    REFUTED = "refuted"
    UNPROVEN = "unproven"


class Judgement(NamedTuple):
    """A verdict with its reason: the values that decided it, as part of a sentence.

    ``cell`` is the cell of a matrix that decided it, or empty.
    """

    verdict: Verdict
    reason: str
    cell: str = ""
