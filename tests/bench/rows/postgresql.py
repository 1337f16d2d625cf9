"""A page some of whose scenarios need PostgreSQL, built from nothing: what the start of a cluster adds.

Every other one does, as in documentation that shows both; the others are what the start can hide behind.
"""

import time
from functools import partial

from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.postgresql import PostgreSQL
from sphinx_djconn.lab.clusters.server import PrivateServer

from .. import pages
from ..report import Result, Row, Samples, difference
from ..workplace import Workplace

SCENARIOS, FEW = 24, 4


def measure(place: Workplace) -> Row:
    """Build the page with a cluster of the build's own, and with a server that is there, in turns."""
    count = place.repeated(SCENARIOS, FEW)
    server = PrivateServer(PostgreSQL())
    try:
        admin = server.admin
        given = {
            "kind": "postgresql",
            "dsn": f"postgresql://{admin.user}@/{admin.database}?host={admin.host}&port={admin.port}",
        }
        values = pages.our_values(place, djconn_databases={"given": given})
        write = partial(pages.write, pages=1, a_page=count, **values)

        def section(number: int, database: str) -> str:
            return pages.ours(number, database=database if number % 2 else "sqlite")

        names = {"postgresql": "a cluster of its own", "given": "a server that is there"}
        docs = {name: write(place.folder / f"on-{name}", partial(section, database=name)) for name in names}
        taken: dict[str, list[float]] = {name: [] for name in names}
        starts = []
        for _ in range(place.repeated(6)):
            for name, folder in docs.items():
                taken[name].append(place.build(folder, fresh=True).seconds)
            starts.append(_start())
    finally:
        server.close(None)
    own, there = (Samples(f"with {names[name]}", "s", tuple(each)) for name, each in taken.items())
    start = Samples("the start of a cluster by itself", "s", tuple(starts))
    row = Row(
        "postgresql",
        f"Cold build of a page of {count} scenarios, half of them on PostgreSQL",
        [own, there, start],
    )
    value, spread = difference(own, there)
    goal = "hidden: less than the start by itself"
    row.results.append(
        Result(
            "what a cluster of its own adds to a build", goal, value, "s", at_most=start.median, spread=spread
        )
    )
    return row


def _start() -> float:
    """Return the seconds from nothing to a cluster that answers."""
    clusters = Clusters()
    begun = time.perf_counter()
    try:
        clusters.shared("postgresql")
        return time.perf_counter() - begun
    finally:
        clusters.close()
