"""This project's own documentation, from nothing: every server, and PostgreSQL."""

from ..report import Result, Row, Samples
from ..workplace import ROOT, Workplace

GOAL = 60.0


def measure(place: Workplace) -> Row:
    """Build all pages, as the README says it."""
    docs = place.folder / "documentation"
    docs.symlink_to(ROOT / "docs")
    builds = [place.build(docs, fresh=True) for _ in range(place.repeated(2))]
    clock = Samples("all pages, by the clock", "s", tuple(build.seconds for build in builds))
    cpu = Samples("the same in time of processors, all servers'", "s", tuple(build.cpu for build in builds))
    row = Row("documentation", "The whole documentation of this project from nothing", [clock, cpu])
    spread = (min(clock.values), max(clock.values))
    row.results.append(
        Result("seconds, on two processors", "under 60 s", clock.median, "s", at_most=GOAL, spread=spread)
    )
    return row
