"""One scenario of 200 that has changed, beside one page of text that has."""

import time

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario

from .. import pages
from ..report import Result, Row, Samples, difference
from ..workplace import BenchError, Workplace

PAGES, A_PAGE = 40, 5


def measure(place: Workplace) -> Row:
    """Change a scenario and build, change the text and build, in turns; run the scenario by itself."""
    count = place.repeated(PAGES, 4)
    docs = pages.write(place.folder / "changed", pages.ours, count, A_PAGE, **pages.our_values(place))
    place.build(docs, fresh=True)
    place.build(docs)
    turns = range(1, place.repeated(12, 3) + 1)
    with_scenario, with_text = [], []
    for turn in turns:
        _change(docs, turn % count, turn)
        before = _stamps(docs)
        with_scenario.append(place.build(docs).seconds)
        if len(_stamps(docs) - before) != 1:
            raise BenchError("one scenario has changed, and not one was run")
        pages.write_text(docs, turn)
        before = _stamps(docs)
        with_text.append(place.build(docs).seconds)
        if _stamps(docs) != before:
            raise BenchError("no scenario has changed, and one was run")
    one = Samples("one scenario changed", "s", tuple(with_scenario))
    other = Samples("one page of text changed", "s", tuple(with_text))
    alone = Samples("that scenario alone, by a laboratory that is warm", "s", tuple(_alone(place, turns)))
    value, spread = difference(one.above(other), alone)
    return Row(
        "changed",
        f"One scenario changed, in a project of {count * A_PAGE}",
        [one, other, alone],
        [
            Result(
                "time above that of a changed page of text and of the scenario alone",
                "within 0.5 s",
                value,
                "s",
                at_most=0.5,
                spread=spread,
            )
        ],
    )


def _change(docs: pages.Path, page: int, version: int) -> None:
    """Give the first scenario of a page another sequence."""
    first = page * A_PAGE

    def section(number: int) -> str:
        return pages.ours(number, version if number == first else 0)

    pages.write_page(docs / f"page{page:03}.rst", section, range(first, first + A_PAGE))


def _stamps(docs: pages.Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_mtime_ns) for path in pages.recordings(docs)}


def _alone(place: Workplace, turns: range) -> list[float]:
    """Return what the scenario takes where Django is imported and the database is prepared."""
    project = Project(place.site, "mysite.settings", ("polls",))
    profiles = Profiles(projects={"default": project})
    laboratory = Laboratory(profiles, place.folder / "alone")
    seconds = []
    try:
        for turn in (0, *turns):
            text = f"6 x browser: GET {pages.target(0, turn)}"
            scenario = Scenario(parse_sequence(text), conn_max_age=None)
            begun = time.perf_counter()
            laboratory.run(scenario)
            seconds.append(time.perf_counter() - begun)
    finally:
        laboratory.close()
    return seconds[1:]
