"""What is to be done, as frozen values, and the grammar that reads them from a page.

``model`` holds the values, ``grammar`` turns the ``lines`` of a directive into a :class:`Sequence`, with
the help of ``request``, which reads one request.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.scenario.grammar import parse_sequence
    from sphinx_djconn.scenario.lines import SequenceError
    from sphinx_djconn.scenario.model import (
        PROJECT_DEFAULT,
        Close,
        DatabaseFault,
        Reload,
        Request,
        Scenario,
        Sequence,
        Step,
        Together,
        Wait,
    )
else:
    __getattr__ = on_demand(
        __name__,
        {
            "grammar": "parse_sequence",
            "lines": "SequenceError",
            "model": "PROJECT_DEFAULT Close DatabaseFault Reload Request Scenario Sequence Step Together Wait",
        },
    )

__all__ = [
    "PROJECT_DEFAULT",
    "Close",
    "DatabaseFault",
    "Reload",
    "Request",
    "Scenario",
    "Sequence",
    "SequenceError",
    "Step",
    "Together",
    "Wait",
    "parse_sequence",
]
