"""What all tests share."""

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support import absence
from tests.support.building import Docs, documentation

os.environ["NO_COLOR"] = "1"  # where the variable CI is set, Sphinx colours what the tests read
# Shells have what they start in the background ignore Ctrl-C, and so all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ONLY_IF_ASKED_FOR = frozenset({"exhaustive", "versions", "django_docs", "django_suite", "foreign_project"})
"""The markers of tests that take long, or download things."""


SKIPPED = "skipped-because-absent"
"""The name under which pytest's cache keeps the tests that were skipped because something is not installed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what only some runs need: tests that were skipped, and how much of what can go on for hours."""
    group = parser.getgroup("sphinx_djconn")
    group.addoption(
        "--absent",
        action="store_true",
        help="run only what the last run has skipped because something was not installed",
    )
    group.addoption("--random-runs", type=int, default=5, help="how many random runs are compared")
    group.addoption("--random-seed", type=int, default=0, help="the number of the first random run")
    group.addoption("--random-servers", default="", help="their servers, separated by commas; all by default")
    group.addoption("--django-tests", default="", help="labels of Django's own tests; all by default")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(NotesAbsence(config))


def pytest_xdist_auto_num_workers() -> int | None:
    """Run three processes per processor: tests wait for servers more than they compute."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else 3 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what takes long, unless ``-m`` chooses the tests: ``-m exhaustive``, for example."""
    chosen = items
    if not config.option.markexpr:
        chosen = [item for item in items if not ONLY_IF_ASKED_FOR & {mark.name for mark in item.iter_markers()}]
    if config.option.absent:
        assert config.cache is not None
        absent = set(config.cache.get(SKIPPED, []))
        chosen = [item for item in chosen if item.nodeid in absent]
    kept = set(chosen)
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = chosen
    # Modules with few tests have the longest ones. They come first, so that none is left at the end.
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: sizes[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have all tests that lack the same thing share a line of the summary, which counts by place and words."""
    report = yield
    if lacks_something(report):
        assert isinstance(report.longrepr, tuple)
        report.longrepr = (absence.__file__, None, report.longrepr[2])
    return report


def lacks_something(report: pytest.TestReport) -> bool:
    """Return whether the test was skipped because something is not installed."""
    told = report.longrepr
    return report.skipped and isinstance(told, tuple) and told[2].endswith(absence.NOT_INSTALLED)


class NotesAbsence:
    """Keeps the tests that were skipped because something is not installed, for ``--absent``."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._absent: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if lacks_something(report):
            self._absent.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        if self._config.cache is not None:
            self._config.cache.set(SKIPPED, self._absent)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which databases are kept once they are prepared; their names say what they are of."""
    return tmp_path_factory.mktemp("databases")


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short name: the name of a local socket has about 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="djconn-") as folder:
        yield Path(folder)


@pytest.fixture
def docs(tmp_path: Path, databases: Path) -> Iterator[Docs]:
    """A documentation of this test's own."""
    with documentation(tmp_path / "docs", databases) as docs:
        yield docs


@pytest.fixture(scope="module")
def shared_docs(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> Iterator[Docs]:
    """A documentation that the tests of a module look at; none of them may change it."""
    with documentation(tmp_path_factory.mktemp("shared") / "docs", databases) as docs:
        yield docs
