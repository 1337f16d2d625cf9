"""A matrix: how many cells a build runs in a second, of a server that is forked and of those that are not."""

import textwrap
from itertools import count

from .. import pages
from ..report import Result, Row, Samples
from ..workplace import Workplace

FORKED = "runserver, runserver-nothreading"
STARTED = "gunicorn-sync, gunicorn-gthread, waitress, cheroot, uvicorn, hypercorn"
AGES = "none, 0"
SEQUENCES = 3


def measure(place: Workplace) -> Row:
    """Build a page of one matrix from nothing, and the same page without it, in turns."""
    servers = {"runserver": FORKED, "other servers": STARTED}
    cells = {name: len(list_.split(",")) * len(AGES.split(",")) * SEQUENCES for name, list_ in servers.items()}
    numbers = count()
    docs = {
        name: pages.write(
            place.folder / f"matrix{next(numbers)}",
            lambda _, list_=list_: _matrix(list_),
            1,
            1,
            **pages.our_values(place),
        )
        for name, list_ in servers.items()
    }
    floor = pages.write(place.folder / "matrix-floor", pages.plain, 1, 1)
    taken: dict[str, list[float]] = {name: [] for name in ("Sphinx alone", *docs)}
    for _ in range(place.repeated(3)):
        taken["Sphinx alone"].append(place.build(floor, fresh=True).seconds)
        for name, folder in docs.items():
            taken[name].append(place.build(folder, fresh=True).seconds)
    samples = {name: Samples(name, "s", tuple(values)) for name, values in taken.items()}
    above = {
        name: samples[name].above(samples["Sphinx alone"], f"{cells[name]} cells of {servers[name]}")
        for name in docs
    }
    row = Row("matrix", "A matrix of six requests in each cell", [samples["Sphinx alone"], *above.values()])
    for name, each in above.items():
        rates = [cells[name] / seconds for seconds in each.values]
        what = f"cells per second, {name}"
        value = cells[name] / each.median
        row.results.append(Result(what, "", value, "a second", spread=(min(rates), max(rates))))
    return row


def _matrix(servers: str) -> str:
    return textwrap.dedent(f"""\
        .. djconn:matrix:: matrix
           :server: {servers}
           :conn-max-age: {AGES}
           :facts: threads, db.opened

           new connections
              6 x new client: GET /polls/

           keep-alive
              6 x browser: GET /polls/

           at once
              together:
                 6 x new client: GET /polls/
        """)
