"""What is to be done, as frozen values, and the grammar that reads them from a page.

``model`` holds the values, ``grammar`` turns the ``lines`` of a directive into a :class:`Sequence`, with
the help of ``request``, which reads one request; ``titles`` finds several sequences in a body, and
``matrix`` makes scenarios of all combinations of what varies.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.scenario.grammar import parse_sequence
    from sphinx_djconn.scenario.lines import SequenceError
    from sphinx_djconn.scenario.matrix import SEQUENCE, Axis, AxisValue, Cell, axis_text, cell_label, expand
    from sphinx_djconn.scenario.model import (
        AUTOMATIC,
        GARBAGE_COLLECTION,
        PROJECT_DEFAULT,
        Close,
        DatabaseFault,
        GarbageCollection,
        Reload,
        Request,
        Scenario,
        Sequence,
        Step,
        Together,
        Wait,
    )
    from sphinx_djconn.scenario.titles import parse_sequences
else:
    __getattr__ = on_demand(
        __name__,
        {
            "grammar": "parse_sequence",
            "lines": "SequenceError",
            "matrix": "SEQUENCE Axis AxisValue Cell axis_text cell_label expand",
            "model": "AUTOMATIC GARBAGE_COLLECTION PROJECT_DEFAULT Close DatabaseFault GarbageCollection "
            "Reload Request Scenario Sequence Step Together Wait",
            "titles": "parse_sequences",
        },
    )

__all__ = [
    "AUTOMATIC",
    "GARBAGE_COLLECTION",
    "PROJECT_DEFAULT",
    "SEQUENCE",
    "Axis",
    "AxisValue",
    "Cell",
    "Close",
    "DatabaseFault",
    "GarbageCollection",
    "Reload",
    "Request",
    "Scenario",
    "Sequence",
    "SequenceError",
    "Step",
    "Together",
    "Wait",
    "axis_text",
    "cell_label",
    "expand",
    "parse_sequence",
    "parse_sequences",
]
