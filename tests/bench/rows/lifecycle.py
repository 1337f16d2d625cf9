"""From the start of a run to its first request in the server, and from its last one to the end of all."""

import itertools
import time

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario

from .. import pages
from ..report import Result, Row, Samples
from ..workplace import Workplace


def measure(place: Workplace) -> Row:
    """Run scenarios one by one, the warm way and the ordinary way in turns."""
    project = Project(place.site, "mysite.settings", ("polls",))
    profiles = Profiles(projects={"default": project})
    labs = {
        "warm": Laboratory(profiles, place.folder / "lifecycle"),
        "djconn_warm = False": Laboratory(profiles, place.folder / "lifecycle", warm=False),
    }
    numbers = itertools.count()
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in labs}
    try:
        for turn in range(place.repeated(20, 5) + 1):
            for name, laboratory in labs.items():
                figures = _run(laboratory, next(numbers))
                if turn:  # the first one prepares the database, and waits until the warm process is ready
                    taken[name].append(figures)
    finally:
        for laboratory in labs.values():
            laboratory.close()
    row = Row("lifecycle", "Start and end of a server")
    for name, figures in taken.items():
        begun, ended, whole = (tuple(each) for each in zip(*figures, strict=True))
        row.samples += [
            Samples(f"start of a run to its first request ({name})", "ms", begun),
            Samples(f"end of the last request to all processes gone ({name})", "ms", ended),
            Samples(f"the whole run of six requests ({name})", "ms", whole),
        ]
        for what, values in (
            ("start to first request", begun),
            ("last request to all processes gone", ended),
        ):
            samples = Samples(what, "ms", values)
            row.results.append(
                Result(
                    f"{what} ({name})",
                    "event-driven: no polling interval, no fixed sleep",
                    samples.median,
                    "ms",
                    spread=(min(values), max(values)),
                )
            )
    return row


def _run(laboratory: Laboratory, number: int) -> tuple[float, float, float]:
    """Return milliseconds: to the first request, from the last one to the end, and of the whole run."""
    text = f"6 x browser: GET {pages.target(number)}"
    scenario = Scenario(parse_sequence(text), conn_max_age=None)
    called = time.monotonic_ns()
    recording = laboratory.run(scenario)
    returned = time.monotonic_ns()
    (trace,) = recording.runs
    first = next(event.at for event in trace.events if event.kind == "request.begin")
    last = max(event.at for event in trace.events if event.kind == "request.end")
    return (first - called) / 1e6, (returned - last) / 1e6, (returned - called) / 1e6
