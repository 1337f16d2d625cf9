"""Projects that none of us wrote, with settings and middleware of their own, as ``djconn_project``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run
from tests.support.index_downloads import installed, unpacked_sdist

pytestmark = pytest.mark.foreign_project

# The example of the debug toolbar: WhiteNoise and the toolbar as middleware, Jinja, asynchronous views.
TOOLBAR = """\
Example of the debug toolbar
============================

.. djconn:scenario:: toolbar
   :conn-max-age: 60

   browser: GET / -> 200 as home
   browser: GET /async/db/ -> 200 as asynchronous
   browser: GET /ajax/increment -> 200 as counted
   browser: GET /ajax/increment -> 200 as counted_again
   together:
      browser: GET /async/db/ -> 200 as mine
      new client: GET /async/db/ -> 200 as yours
      new client: GET /static/test.css -> 200

.. djconn:claim:: an-asynchronous-view-queries-in-the-thread-of-its-request
   :in: toolbar
   :expect: home.thread == asynchronous.thread and asynchronous.db_connection is not None

   The queries of an asynchronous view use the connection of the thread that handles the request.

.. djconn:claim:: the-session-is-that-of-the-project
   :in: toolbar
   :expect: [counted.json.value, counted_again.json.value] == [1, 2] and db.reused > 0

   A session counts the visits of the same client.

.. djconn:claim:: asynchronous-views-overlap
   :in: toolbar
   :expect: overlap(mine, yours) and mine.db_connection != yours.db_connection

   Two requests at once have a connection each.
"""

# The project that Silk is developed with: settings for PostgreSQL, and a middleware that makes queries.
SILK = """\
Project of Silk
===============

.. djconn:scenario:: silk
   :conn-max-age: 60

   browser: GET /admin/login/ -> 200 as form
   browser: GET /silk/requests/ -> 200 as profiles

.. djconn:claim:: the-middleware-makes-queries
   :in: silk
   :expect: form.db_connection == profiles.db_connection and db.opened == 1

   Every request uses the database, for the middleware keeps its profile there.
"""


class Built:
    """A page about the project in ``folder``, built; ``report`` is what the builder ``djconn`` wrote."""

    def __init__(self, folder: Path, project: Mapping[str, str], page: str, packages: Path) -> None:
        docs = folder / "docs"
        docs.mkdir()
        docs.joinpath("conf.py").write_text(
            f'project = "x"\nextensions = ["sphinx_djconn"]\ndjconn_project = {dict(project)!r}\n'
        )
        docs.joinpath("index.rst").write_text(page)
        self.project = Path(project["path"])
        self.settings = project["settings"].replace(".", "/") + ".py"
        self.before = self.files()
        command = "python -m sphinx -W -b {0} -d doctrees docs {0}"
        for builder in ("html", "djconn"):
            done = run(command.format(builder), folder, seconds=300, PYTHONPATH=str(packages))
            assert done.returncode == 0, done.stdout + done.stderr
        self.page = folder.joinpath("html/index.html").read_text(encoding="utf-8")
        self.report = folder / "djconn"

    def files(self) -> dict[str, bytes]:
        """The files of the project, with what is in them."""
        paths = [path for path in self.project.rglob("*") if path.is_file()]
        return {path.relative_to(self.project).as_posix(): path.read_bytes() for path in paths}

    @property
    def claims(self) -> list[dict[str, Any]]:
        """The claims as they are reported."""
        found: list[dict[str, Any]] = json.loads(self.report.joinpath("claims.json").read_text())
        return found


@pytest.fixture(scope="module")
def toolbar(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("toolbar")
    path = unpacked_sdist("django-debug-toolbar", folder / "sdist")
    packages = installed(["django-debug-toolbar", "whitenoise"], folder / "packages")
    return Built(folder, {"path": str(path), "settings": "example.settings"}, TOOLBAR, packages)


@pytest.fixture(scope="module")
def silk(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("silk")
    path = unpacked_sdist("django-silk", folder / "sdist") / "project"
    packages = installed(["django-silk", "gprof2dot", "pillow"], folder / "packages")
    return Built(folder, {"path": str(path), "settings": "project.settings"}, SILK, packages)


def test_all_claims_about_the_example_of_the_debug_toolbar_hold(toolbar: Built) -> None:
    assert [claim["verdict"] for claim in toolbar.claims] == ["holds"] * 3


def test_nothing_in_the_example_of_the_debug_toolbar_is_changed(toolbar: Built) -> None:
    assert toolbar.files() == toolbar.before


def test_settings_for_postgresql_run_on_a_database_of_the_runs_own(silk: Built) -> None:
    assert [claim["verdict"] for claim in silk.claims] == ["holds"]


@pytest.mark.parametrize("name", ["toolbar", "silk"])
def test_neither_key_nor_place_of_the_project_is_in_its_page(name: str, request: pytest.FixtureRequest) -> None:
    built: Built = request.getfixturevalue(name)
    settings = built.before[built.settings].decode()
    (key,) = [line.split("=", 1)[1].strip(" \"'") for line in settings.splitlines() if "SECRET_KEY" in line]
    assert len(key) > 20
    assert key not in built.page
    assert str(built.project) not in built.page
