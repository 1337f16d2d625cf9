"""A build in which nothing has changed, beside one of the same pages as static text."""

from .. import pages
from ..report import Result, Row, Samples, ratio
from ..workplace import Build, Workplace

PAGES, A_PAGE = 20, 3


def measure(place: Workplace) -> Row:
    """Build both over and over again, in turns, each as often first as second."""
    count = place.repeated(PAGES, 4)
    live = pages.write(place.folder / "live", pages.ours, count, A_PAGE, **pages.our_values(place))
    place.build(live, "text", fresh=True)
    section = pages.pasted(live.with_name("live.text"))
    static = pages.write(place.folder / "static", section, count, A_PAGE)
    for docs in (live, static):
        for _ in range(2):  # the second one writes what changed with the builder, and then nothing does
            place.build(docs)
    taken: dict[str, list[Build]] = {"live": [], "static": []}
    for turn in range(place.repeated(30, 6)):
        order = (live, static) if turn % 2 else (static, live)
        for docs in order:
            taken[docs.name].append(place.build(docs))
    ours = _samples("with sphinx_djconn", taken["live"])
    theirs = _samples("evidence pasted in as static text", taken["static"])
    row = Row(
        "unchanged",
        f"Build with no change, {count * A_PAGE} scenarios on {count} pages",
        [samples for pair in zip(ours, theirs, strict=True) for samples in pair],
    )
    for what, one, other, limit in (
        ("time: so many times that of static text", ours[0], theirs[0], 1.05),
        ("processor time: so many times that of static text", ours[1], theirs[1], None),
    ):
        value, spread = ratio(one, other)
        goal = "" if limit is None else "at most 1.05 times"
        row.results.append(Result(what, goal, value, "times", at_most=limit, spread=spread))
    return row


def _samples(name: str, builds: list[Build]) -> tuple[Samples, Samples]:
    return (
        Samples(name, "s", tuple(each.seconds for each in builds)),
        Samples(f"{name}: processor time", "s", tuple(each.cpu for each in builds)),
    )
