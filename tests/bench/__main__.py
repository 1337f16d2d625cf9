"""Measure, and report the results.

The whole benchmark writes ``docs/benchmark.json`` and ``docs/benchmark.svg``. A part of it, or a quick one,
is no figure to be published: it is only shown, unless ``--output`` names a folder for it.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from . import machine, profile
from .plot import draw
from .report import Row, lines
from .rows import ROWS
from .workplace import ROOT, BenchError, Workplace, workplace

_ENDING = 2.0


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C: nothing is left behind
    names = options.only or list(ROWS)
    begun = time.monotonic()
    rows: list[Row] = []
    with workplace(quick=options.quick, profile=options.profile) as place, _surroundings(place):
        for name in names:
            _say(f"{name}…")
            rows.append(_measured(place, name))
            _say("\n".join(lines(rows[-1:])))
    seconds = time.monotonic() - begun
    _say(f"\n{seconds:.0f} seconds")
    whole = names == list(ROWS) and not options.quick and options.profile is None
    folder = options.output or (ROOT / "docs" if whole else None)
    if folder is not None:
        _write(folder, rows, seconds, quick=options.quick)
    if options.profile is not None:
        _say(profile.report(options.profile))
    return 0


def _measured(place: Workplace, name: str) -> Row:
    row = ROWS[name](place)
    limit = time.monotonic() + _ENDING
    while (left := place.left_behind()) and time.monotonic() < limit:
        time.sleep(0.02)  # what was killed ends when the machine lets it
    if left:
        raise BenchError(f"left behind by {name}: {', '.join(left)}")
    return row


class _surroundings:  # noqa: N801 - a context manager
    """Has what runs in this process find the same variables as the contenders' processes."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def __enter__(self) -> None:
        self._before, self._temporary = dict(os.environ), tempfile.tempdir
        variables = self._place.environ()
        os.environ.clear()
        os.environ.update(variables)
        tempfile.tempdir = str(self._place.temporary)

    def __exit__(self, *_: object) -> None:
        os.environ.clear()
        os.environ.update(self._before)
        tempfile.tempdir = self._temporary


def _write(folder: Path, rows: list[Row], seconds: float, *, quick: bool) -> None:
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "seconds": round(seconds),
        "machine": machine.facts(),
        "rows": [row.as_json() for row in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    folder.joinpath("benchmark.json").write_text(text, encoding="utf-8")
    draw(report, folder / "benchmark.svg")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, help="measure this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="less of everything: to try the benchmark out")
    parser.add_argument("--output", type=Path, help="the folder to write to")
    parser.add_argument("--profile", type=Path, help="keep profiles of Sphinx's process in this folder")
    options = parser.parse_args()
    for folder in (options.output, options.profile):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    if options.profile is not None:
        options.profile = options.profile.resolve()
    return options


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
