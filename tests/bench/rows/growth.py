"""Projects of 125, 250 and 500 scenarios: the time they take, and Sphinx's memory."""

from .. import pages
from ..report import Result, Row, Samples, difference, over_turns
from ..workplace import Build, Workplace

SIZES = (25, 50, 100)
A_PAGE = 5


def measure(place: Workplace) -> Row:
    """Build each size from nothing, with our evidence and without any, in turns."""
    sizes = tuple(size // place.repeated(1, 10) for size in SIZES)
    taken: dict[tuple[str, int], list[Build]] = {}
    for turn in range(place.repeated(3, 1)):
        for size in sizes:
            for kind, section, values in (
                ("plain", pages.plain, {}),
                ("ours", pages.ours, pages.our_values(place)),
            ):
                docs = place.folder / f"growth-{kind}{size}"
                if turn == 0:
                    pages.write(docs, section, size, A_PAGE, **values)
                taken.setdefault((kind, size), []).append(place.build(docs, fresh=True))
    row = Row("growth", f"Growth to {sizes[-1] * A_PAGE} scenarios on {sizes[-1]} pages")
    above = {size: _seconds(taken, "ours", size).above(_seconds(taken, "plain", size)) for size in sizes}
    row.samples += above.values()
    first, second = (_slopes(above, sizes[:2]), _slopes(above, sizes[1:]))
    value, spread = over_turns(b / a for a, b in zip(first, second, strict=True))
    counts = [size * A_PAGE for size in sizes]
    row.results.append(
        Result(
            f"time of one more scenario from {counts[1]} to {counts[2]}: "
            f"so many times that from {counts[0]} to {counts[1]}",
            "linear: at most 1.15 times",
            value,
            "times",
            at_most=1.15,
            spread=spread,
        )
    )
    static = _pasted(place, sizes[-1], len(taken["ours", sizes[-1]]))
    memory = {kind: _megabytes(kind, taken[kind, sizes[-1]]) for kind in ("ours", "plain")}
    memory["static"] = _megabytes("static", static)
    row.samples += memory.values()
    for other, name in (("plain", "the same pages without evidence"), ("static", "evidence as static text")):
        value, spread = difference(memory["ours"], memory[other])
        row.results.append(
            Result(
                f"memory of Sphinx's process, above that with {name}",
                "within 50 MB",
                value,
                "MB",
                at_most=50.0,
                spread=spread,
            )
        )
    return row


def _slopes(above: dict[int, Samples], sizes: tuple[int, ...]) -> tuple[float, ...]:
    """Return for each turn what one more scenario takes between two sizes.

    What a build takes once, for any number of scenarios, is in no difference of two builds.
    """
    few, many = sizes
    more = above[many].above(above[few]).values
    return tuple(seconds / (many - few) / A_PAGE for seconds in more)


def _seconds(taken: dict[tuple[str, int], list[Build]], kind: str, size: int) -> Samples:
    name = f"{size * A_PAGE} scenarios on {size} pages, above Sphinx alone"
    return Samples(name, "s", tuple(each.seconds for each in taken[kind, size]))


_NAMES = {
    "ours": "memory of Sphinx's process with sphinx_djconn",
    "plain": "memory of Sphinx's process without evidence",
    "static": "memory of Sphinx's process, evidence as static text",
}


def _megabytes(kind: str, builds: list[Build]) -> Samples:
    return Samples(_NAMES[kind], "MB", tuple(each.megabytes for each in builds))


def _pasted(place: Workplace, size: int, turns: int) -> list[Build]:
    live = place.folder / f"growth-ours{size}"
    place.build(live, "text")
    section = pages.pasted(live.with_name(f"{live.name}.text"))
    docs = pages.write(place.folder / "growth-static", section, size, A_PAGE)
    return [place.build(docs, fresh=True) for _ in range(turns)]
