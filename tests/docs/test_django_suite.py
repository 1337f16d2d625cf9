"""Django's own test suite has the same outcome with the probe attached as without, test by test.

``python -m pytest -m django_suite tests/docs`` runs all of it: some 20 minutes for each release and database.
``--django-tests "backends handlers"`` names a part.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.events.reader import WakeFlag
from tests.support.index_downloads import unpacked_sdist

pytestmark = pytest.mark.django_suite

HERE = Path(__file__).parent / "django_suite"
ATTACH = Path(__file__).parents[2] / "sphinx_djconn" / "probe" / "attach"
RELEASES = ("5.2.19", "6.1")
LEAST = 10_000
"""So many tests the whole suite has at least."""


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """Listen as the lab does, and read nothing: the probe writes its events into files."""
    address = str(folder / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(socket.SOMAXCONN)
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)

    with closing(WakeFlag(address)):
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield address
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for connection in kept:
                connection.close()


def outcomes(
    source: Path, labels: list[str], folder: Path, database: str | None, address: str | None
) -> dict[str, str]:
    """Run Django's tests, with the probe where ``address`` is the lab's, and return what became of each."""
    folder.mkdir()
    search = [str(source), str(HERE)]
    variables = {**os.environ, "OUTCOMES": str(folder / "outcomes.json"), "PYTHONWARNINGS": "ignore"}
    variables.pop("DJANGO_SETTINGS_MODULE", None)
    if database is not None:
        variables["SUITE_DATABASE"] = database
    if address is not None:
        search.insert(0, str(ATTACH))
        variables["DJCONN_SOCKET"] = address
    variables["PYTHONPATH"] = os.pathsep.join(search)
    command = [sys.executable, "runtests.py", "--settings=suite_settings", "--parallel=2", "--noinput", *labels]
    with (folder / "log").open("wb") as log:
        subprocess.run(
            command, cwd=source / "tests", env=variables, stdout=log, stderr=log, check=False, timeout=7200
        )
    path = folder / "outcomes.json"
    assert path.exists(), (folder / "log").read_text(errors="replace")[-4000:]
    found: dict[str, str] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module", params=RELEASES)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked_sdist(f"django=={request.param}", tmp_path_factory.mktemp("suite") / "sdist")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_test_of_django_has_the_same_outcome_with_the_probe(
    source: Path, tmp_path: Path, short_folder: Path, database: str, pytestconfig: pytest.Config
) -> None:
    labels = pytestconfig.getoption("django_tests").split()
    with closing(Clusters()) as clusters:
        settings = None
        if database == "postgresql":
            try:
                entry = clusters.shared(database).settings("postgres")
            except AbsentError as error:
                pytest.skip(error.message)
            settings = json.dumps({**entry, "USER": "postgres"})
        without = outcomes(source, labels, tmp_path / "without", settings, None)
        with lab(short_folder) as address:
            probed = outcomes(source, labels, tmp_path / "probed", settings, address)
    assert len(without) > (0 if labels else LEAST)
    different = {
        name: (without.get(name), probed.get(name))
        for name in {**without, **probed}
        if without.get(name) != probed.get(name)
    }
    assert different == {}
    print(f"{len(without)} tests of {source.name} on {database}")  # noqa: T201
