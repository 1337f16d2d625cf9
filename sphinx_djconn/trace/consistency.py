"""Check the events of a run for contradictions.

A claim must not hold only because an event was lost. So each run is checked in two ways:

* against itself (:mod:`.event_checks`): a connection that is closed was opened before, a request that ends
  has begun, and the serials of a process have no gap;
* against witnesses that do not use the probe (:mod:`.witness_checks`): the kernel's ``/proc`` and the database
  server's list of sessions.

Whatever does not fit is a :class:`~sphinx_djconn.trace.contradictions.Contradiction`. The facts that it
concerns are unknown: see :mod:`.unknown_facts`.
"""

from collections.abc import Callable, Iterable

from sphinx_djconn.trace.contradictions import Contradiction, ContradictionReport
from sphinx_djconn.trace.entities import Key
from sphinx_djconn.trace.event_checks import EventChecks
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.witness_checks import WitnessChecks


def find_contradictions(
    events: Iterable[Event], name_of: Callable[[str, Key], str]
) -> tuple[Contradiction, ...]:
    """Return the contradictions in ``events``, which are in their order.

    Returns none for a run without an ``end`` event, because its events are incomplete. ``name_of`` returns the
    name that readers see of a ``process``, ``thread``, ``http`` or ``db`` connection.
    """
    report = ContradictionReport(name_of)
    event_checks = EventChecks(report)
    witness_checks = WitnessChecks(report, event_checks.processes)
    ended = False
    for event in events:
        if event.kind == "step":
            report.step = event.data["n"]
        event_checks.check(event)
        witness_checks.check(event)
        ended = ended or event.kind == "end"
    if not ended:
        return ()
    event_checks.finish()
    witness_checks.finish()
    return report.contradictions
