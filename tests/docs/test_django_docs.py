"""Django's own documentation, with our extension in its conf.py and a claim in ``ref/databases.txt``."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.index_downloads import unpacked_sdist

pytestmark = pytest.mark.django_docs

HEADING = "Connection management\n~~~~~~~~~~~~~~~~~~~~~\n"

EVIDENCE = """\
.. djconn:scenario:: development-server
   :conn-max-age: none

   browser: GET /polls/ as first
   browser: GET /polls/ as second
   new client: GET /polls/ as third

.. djconn:claim:: a-new-thread-for-each-request
   :in: development-server
   :expect: threads == requests
   :verdict: refuted

   The development server creates a new thread for each request it handles.

.. djconn:claim:: a-new-thread-for-each-http-connection
   :in: development-server
   :expect: threads == http.connections

   The development server creates a new thread for each HTTP connection.

"""

CONFIGURATION = """
extensions.append("sphinx_djconn")
intersphinx_mapping = {}  # a test fetches no inventories
"""


class Built:
    """The documentation, built: the page, and what the build has said."""

    def __init__(self, folder: Path) -> None:
        version = importlib.metadata.version("django")
        self.docs = unpacked_sdist(f"django=={version}", folder / "sdist") / "docs"
        with self.docs.joinpath("conf.py").open("a", encoding="utf-8") as conf:
            conf.write(CONFIGURATION)
        databases = self.docs / "ref/databases.txt"
        before, after = databases.read_text(encoding="utf-8").split(HEADING)
        databases.write_text(f"{before}{EVIDENCE}{HEADING}{after}", encoding="utf-8")
        self.done = run("python -m sphinx -j auto -b html . ../out", self.docs, seconds=900)
        self.page = self.docs.parent.joinpath("out/ref/databases.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("django"))


def test_the_documentation_of_django_builds_with_our_extension(built: Built) -> None:
    assert built.done.returncode == 0, built.done.stderr
    assert "development-server" in built.done.stdout


def test_the_evidence_is_in_the_page(built: Built) -> None:
    assert "djconn-requests" in built.page
    for name in ("H1 new", "H1 kept", "H2 new", "C1 opened", "C1 reused", "C2 opened"):
        assert name in built.page


def test_the_verdicts_are_in_the_page(built: Built) -> None:
    verdicts = re.findall(r'djconn-verdict djconn-(\w+)"', built.page)
    assert verdicts == ["refuted", "holds"]


def test_no_warning_is_ours(built: Built) -> None:
    # Without inventories, what other projects document cannot be linked: those warnings are Django's.
    warnings = [line for line in built.done.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    foreign = re.compile(r"\[ref\.\w+\]$")
    assert [line for line in warnings if not foreign.search(line) or "djconn" in line] == []


def test_the_check_alone_passes(built: Built) -> None:
    done = run("python -m sphinx -j auto -b djconn -d ../out/.doctrees . ../report", built.docs, seconds=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 claims, 2 as declared" in done.stdout
