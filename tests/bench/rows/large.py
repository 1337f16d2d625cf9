"""One scenario of 20,000 requests: its trace is read, judged and drawn."""

from .. import pages
from ..report import Result, Row, Samples, difference
from ..workplace import BenchError, Build, Workplace

REQUESTS, FEW = 20_000, 2_000


def measure(place: Workplace) -> Row:
    """Record the requests once; then have Sphinx read and write the page, with the evidence and without."""
    count = place.repeated(REQUESTS, FEW)
    limit = {"djconn_timeout": 300.0}
    live = pages.write(place.folder / "large", _section(count), 1, 1, **pages.our_values(place, **limit))
    recorded = place.build(live, fresh=True)
    plain = pages.write(place.folder / "large-plain", pages.plain, 1, 1)
    place.build(plain, fresh=True)
    stamps = [path.stat().st_mtime_ns for path in pages.recordings(live)]
    ours: list[Build] = []
    theirs: list[Build] = []
    for _ in range(place.repeated(7, 3)):
        theirs.append(place.build(plain, again=True))
        ours.append(place.build(live, again=True))
    if [path.stat().st_mtime_ns for path in pages.recordings(live)] != stamps:
        raise BenchError("the requests were sent again, though there was a recording of them")
    page = live.with_name("large.html") / "page000.html"
    seconds = _samples("the page of those requests, recorded", "s", [each.seconds for each in ours])
    floor = _samples("the page without evidence", "s", [each.seconds for each in theirs])
    memory = _samples("Sphinx's memory with that page", "MB", [each.megabytes for each in ours])
    without = _samples("Sphinx's memory without evidence", "MB", [each.megabytes for each in theirs])
    recording = sum(path.stat().st_size for path in pages.recordings(live)) / 1e6
    taken, spread = difference(seconds, floor)
    return Row(
        "large",
        f"{count:,} requests in one scenario",
        [
            floor,
            seconds,
            without,
            memory,
            _samples("sending them, once, with the build around it", "s", [recorded.seconds]),
            _samples("the recording", "MB", [recording]),
        ],
        [
            Result(
                "the trace is read, judged and drawn: time above that of the page without evidence",
                "under 2 s",
                taken,
                "s",
                at_most=2.0,
                spread=spread,
            ),
            Result(
                "Sphinx's memory, all of it",
                "under 200 MB",
                memory.median,
                "MB",
                at_most=200.0,
                spread=(min(memory.values), max(memory.values)),
            ),
            Result("size of the page", "under 500 KB", page.stat().st_size / 1e3, "KB", at_most=500.0),
        ],
    )


def _section(count: int) -> pages.Section:
    def section(number: int) -> str:
        one = f"6 x browser: GET {pages.target(number)}"
        return pages.ours(number).replace(one, f"{count} x browser: GET /query/")

    return section


def _samples(name: str, unit: str, values: list[float]) -> Samples:
    return Samples(name, unit, tuple(values))
