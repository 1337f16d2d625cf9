"""What the kernel shows of the server's processes, at the end of a step."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.events.state import RunState
from sphinx_djconn.lab.steps import procfs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


class Collector:
    """Has the events of a run with one process: this one."""

    def __init__(self) -> None:
        self.state = RunState()
        self.state.pids[1] = os.getpid()
        self.emitted: list[dict[str, Any]] = []

    def drain(self) -> None:
        pass

    def emit(self, kind: str, **data: Any) -> None:
        self.emitted.append({"k": kind, **data})


def test_a_file_that_a_running_thread_is_about_to_close_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    file = tmp_path.joinpath("default.sqlite3").open("w")

    def run_times(_: int) -> list[tuple[str, int]] | None:
        """Show a running thread, which closes the file before it sleeps."""
        if file.closed:
            return []
        samples.append(None)
        if len(samples) == 3:
            file.close()
        return None

    samples: list[None] = []
    monkeypatch.setattr(procfs, "run_times", run_times)
    procfs.ProcessInspector(collector, tmp_path).record()  # type: ignore[arg-type]
    (event,) = collector.emitted
    assert event["k"] == "processes.seen"
    assert [process["files"] for process in event["processes"]] == [0]
