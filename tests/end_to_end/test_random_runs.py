"""Random runs agree with a witness that knows nothing of the probe."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.environments.environment import current
from sphinx_djconn.lab.errors import AbsentError, LabError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.lab.profiles.servers import SERVERS
from sphinx_djconn.lab.requirements import check_installed
from tests.end_to_end.random_runs import RandomRun, Tally, generate, run_and_compare

SITE = Path(__file__).parent / "site"
JOBS = 2

pytestmark = pytest.mark.skipif(not Path("/proc/thread-self").exists(), reason="the witness is Linux's /proc")


def servers_here() -> list[str]:
    """Return the servers that are installed."""
    found = []
    for name, server in SERVERS.items():
        try:
            check_installed(name, server, current())
        except AbsentError:
            continue
        found.append(name)
    return found


def databases_here() -> list[str]:
    """Return the databases that can be had."""
    found = ["sqlite"]
    with closing(Clusters()) as clusters:
        for kind in ("postgresql", "mariadb"):
            try:
                clusters.shared(kind)
            except AbsentError:
                continue
            found.append(kind)
    return found


@pytest.fixture
def witnessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the site writes down what it does."""
    folder = tmp_path / "witnessed"
    folder.mkdir()
    monkeypatch.setenv("WITNESS_FOLDER", str(folder))
    return folder


@pytest.fixture
def laboratory(tmp_path: Path, databases: Path) -> Iterator[Laboratory]:
    """A laboratory with the site of the witness."""
    shutil.copytree(SITE, tmp_path / "site")
    project = read_project({"path": "site", "settings": "settings"}, tmp_path)
    with closing(Laboratory(Profiles(projects={"default": project}), databases, timeout=90)) as laboratory:
        yield laboratory


def test_random_runs_agree_with_the_site(
    laboratory: Laboratory, witnessed: Path, pytestconfig: pytest.Config
) -> None:
    first, count = pytestconfig.getoption("random_seed"), pytestconfig.getoption("random_runs")
    named = [name for name in pytestconfig.getoption("random_servers").split(",") if name]
    servers, kinds = named or servers_here(), databases_here()
    tally = Tally()

    def compare(run: RandomRun) -> list[str]:
        try:
            return run_and_compare(laboratory, run, witnessed)
        except LabError as error:
            return [f"the run failed: {error.message}"]

    runs = [generate(seed, servers, kinds) for seed in range(first, first + count)]
    with ThreadPoolExecutor(JOBS) as pool:
        for run, differences in zip(runs, pool.map(compare, runs), strict=True):
            scenario = run.scenario
            tally.runs[scenario.server, scenario.database] += 1
            tally.disagreements += [
                f"{run.name} ({scenario.server}, {scenario.database}, {scenario.conn_max_age}): {difference}"
                for difference in differences
            ]
    print("\n".join(tally.lines()))  # noqa: T201 - the table of the runs, with -s or when the test fails
    assert not tally.disagreements, "\n".join(tally.disagreements)
