"""A page of 24 scenarios, built from nothing."""

import statistics
import sys
from collections.abc import Callable

from .. import pages
from ..report import Result, Row, Samples, ratio
from ..workplace import Workplace

SCENARIOS, FEW = 24, 6
SHORT = {"Sphinx alone": 4, "sphinx_djconn": 4}
"""How often in each turn, of which the median counts: a build of a second, once a minute, would tell of that
moment of the machine, and be set against one that takes ten times as long."""


def measure(place: Workplace) -> Row:
    """Build the page without evidence, with ours, and with that of the peers, in turns."""
    count = place.repeated(SCENARIOS, FEW)
    contenders = _contenders(place, count)
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(place.repeated(4)):
        for name, build in contenders.items():
            times = place.repeated(SHORT.get(name, 1), 1)
            taken[name].append(statistics.median(build() for _ in range(times)))
    samples = {name: Samples(name, "s", tuple(values)) for name, values in taken.items()}
    floor = samples.pop("Sphinx alone")
    shell = samples.pop("script")
    above = {name: each.above(floor, f"{name}, above Sphinx alone") for name, each in samples.items()}
    shell = Samples("the scenarios in one bare script, without Sphinx", "s", shell.values)
    row = Row("cold", f"Cold build of a page of {count} scenarios", [floor, *above.values(), shell])
    ours = above["sphinx_djconn"]
    for peer, times, goal in (
        (above["sphinxcontrib-programoutput"], 10.0, "at least 10 times less; work towards 20"),
        (above["sphinx-exec-code"], None, ""),
        (shell, None, ""),
    ):
        value, spread = ratio(peer, ours)
        what = f"{peer.name}: so many times ours"
        row.results.append(Result(what, goal, value, "times", at_least=times, spread=spread))
    return row


def _contenders(place: Workplace, count: int) -> dict[str, Callable[[], float]]:
    ours = pages.our_values(place)
    made = {
        "Sphinx alone": (pages.plain, {}),
        "sphinx_djconn": (pages.ours, ours),
        "sphinx_djconn, djconn_warm = False": (pages.ours, {**ours, "djconn_warm": False}),
        "sphinxcontrib-programoutput": (
            pages.programoutput(place),
            {"extensions": ["sphinxcontrib.programoutput"]},
        ),
        "sphinx-exec-code": (pages.exec_code(place), {"extensions": ["sphinx_exec_code"]}),
    }
    contenders: dict[str, Callable[[], float]] = {}
    for number, (name, (section, values)) in enumerate(made.items()):
        docs = pages.write(place.folder / f"cold{number}", section, 1, count, **values)
        contenders[name] = lambda docs=docs: place.build(docs, fresh=True).seconds
    script = [sys.executable, pages.SCRIPT, place.ready_site, *map(pages.target, range(count))]
    contenders["script"] = lambda: place.run(script).seconds
    return contenders
