"""Servers with and without the probe. One that is shared keeps nothing that a test could stumble over."""

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.probe.instruments import DEADLINE, PYTHON, Server, Sink, copy_databases, environment


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Make the site's database."""
    folder = tmp_path_factory.mktemp("prepared")
    for arguments in (["migrate", "--verbosity=0"], ["loaddata", "polls", "--verbosity=0"]):
        subprocess.run(
            [PYTHON, "-m", "django", *arguments],
            env=environment(PROBED_FOLDER=folder),
            check=True,
            timeout=DEADLINE,
        )
    return folder


@pytest.fixture(scope="session")
def start(prepared, short_folder):
    """Return what starts a server, with databases of its own."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("what looks at servers without the probe is Linux's /proc")

    @contextmanager
    def starting(*, probe=True, **options):
        folder = Path(tempfile.mkdtemp(dir=short_folder))
        copy_databases(prepared, folder)
        sink = Sink(folder) if probe else None
        try:
            with Server(folder, sink, **options) as server:
                yield server
        finally:
            if sink is not None and not sink.closed:
                sink.close()

    return starting


@pytest.fixture(scope="module")
def server(start):
    """Start a server with the probe, for the tests of one module."""
    with start() as server:
        yield server
