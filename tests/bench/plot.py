"""The plot: what a page costs with each contender, and how that grows.

Lines and letters have the colour of the text around them (``currentColor``), so that the picture can be read
on a light and on a dark page; by itself it follows the reader's preference.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

INK = "#010203"
"""Stands for the colour of the text around the picture."""

OURS, OTHERS, GOAL = "#1f9d6b", "#8c929c", "#d0603a"
DESCRIPTION = "Bars: seconds that a page of scenarios takes. Line: seconds by the number of scenarios."

_STYLE = (
    "<style>svg.standalone{color:#333}@media(prefers-color-scheme:dark){svg.standalone{color:#ddd}}</style>"
)
_NUMBERED = re.compile(r"(\d+) scenarios on \d+ pages, above Sphinx alone")


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Draw the rows ``cold`` and ``growth`` of ``report`` into the file ``path``."""
    import matplotlib as mpl  # noqa: PLC0415 - slow, and needed at the end only

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = {row["name"]: row for row in report["rows"]}
    panels = [panel for name, panel in (("cold", _cold), ("growth", _growth)) if name in rows]
    if not panels:
        return
    ink = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK)
    settings = {
        **ink,
        "font.size": 9,
        "font.family": "sans-serif",
        "svg.fonttype": "none",
        "svg.hashsalt": "djconn",
    }
    with plt.rc_context(settings):
        figure, axes = plt.subplots(len(panels), 1, figsize=(7, 2.6 * len(panels)), squeeze=False)
        for panel, place in zip(panels, axes[:, 0], strict=True):
            place.patch.set_alpha(0)
            place.spines[["top", "right"]].set_visible(False)
            panel(place, rows)
        figure.tight_layout()
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    path.write_text(_themed(written.getvalue()), encoding="utf-8")


def _cold(axes: Any, rows: Mapping[str, Any]) -> None:
    row = rows["cold"]
    _, *samples = row["samples"]  # the first one is Sphinx alone, which the others are above
    names = [sample["name"].partition(", above")[0].replace(", without Sphinx", "") for sample in samples]
    medians = [sample["median"] for sample in samples]
    errors = [
        [sample["median"] - sample["min"] for sample in samples],
        [sample["max"] - sample["median"] for sample in samples],
    ]
    colours = [OURS if name.startswith("sphinx_djconn") else OTHERS for name in names]
    axes.barh(names, medians, xerr=errors, color=colours, ecolor=INK, error_kw={"elinewidth": 0.8})
    axes.invert_yaxis()
    for position, (sample, median) in enumerate(zip(samples, medians, strict=True)):
        axes.annotate(
            f"{median:.1f} s",
            (sample["max"], position),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
        )
    peer = next(sample["median"] for sample in samples if "programoutput" in sample["name"])
    axes.axvline(peer / 10, color=GOAL, linestyle="--", linewidth=1)
    axes.set_xlabel("seconds above Sphinx alone")
    axes.set_title(f"{row['title']} (dashed: the goal)", loc="left", fontsize=10)
    axes.margins(x=0.12)


def _growth(axes: Any, rows: Mapping[str, Any]) -> None:
    row = rows["growth"]
    points = [(match, sample) for sample in row["samples"] if (match := _NUMBERED.fullmatch(sample["name"]))]
    counts = [int(match[1]) for match, _ in points]
    medians = [sample["median"] for _, sample in points]
    errors = [
        [sample["median"] - sample["min"] for _, sample in points],
        [sample["max"] - sample["median"] for _, sample in points],
    ]
    axes.errorbar(counts, medians, yerr=errors, color=OURS, marker="o", capsize=3, linewidth=1.5)
    for count, median in zip(counts, medians, strict=True):
        axes.annotate(f"{median:.1f} s", (count, median), xytext=(6, -10), textcoords="offset points")
    axes.set_xticks(counts)
    axes.set_xlim(0, counts[-1] * 1.12)
    axes.set_ylim(0, None)
    axes.set_xlabel("scenarios")
    axes.set_ylabel("seconds above Sphinx alone")
    axes.set_title("Cold build of many pages", loc="left", fontsize=10)


def _themed(svg: str) -> str:
    """Return the picture with the colour of its surroundings, and with a width that follows the page."""
    svg = re.sub(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace(INK, "currentColor")
    svg = svg.replace('<style type="text/css">*{', "<style>.standalone *,.djconn-benchmark *{")
    opening = f'<svg class="standalone" role="img" aria-label="{DESCRIPTION}"'
    svg = svg.replace("<svg", opening, 1)
    end = svg.index(">") + 1
    svg = svg[:end] + "\n" + _STYLE + svg[end:]
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
