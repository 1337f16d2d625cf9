"""Which parameters of a test are tried by default, and which only with ``-m exhaustive``."""

from collections.abc import Iterable
from typing import Any

import pytest


def a_few(values: Iterable[Any], *chosen: Any) -> list[Any]:
    """Return parameters for all ``values``, of which only those that are ``chosen`` are tried by default.

    With several names of parameters, a value is a tuple of as many.
    """
    assert chosen
    values = list(values)
    assert all(each in values for each in chosen), "each chosen one is a value"
    return [
        pytest.param(
            *(each if isinstance(each, tuple) else (each,)),
            marks=() if each in chosen else pytest.mark.exhaustive,
        )
        for each in values
    ]
