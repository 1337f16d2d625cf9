"""Pages about database servers: what can be wrong with conf.py or the machine, and what a reader is told."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sphinx_djconn.lab.clusters import binaries
from tests.lab.databases.projects_on_servers import SETTINGS, VIEWS
from tests.support.building import Built, Docs
from tests.support.choosing import a_few

PAGE = """
    Databases
    =========

    .. djconn:scenario:: served
       :database: {database}
       :conn-max-age: none

       browser: GET /query as first
       {step}
       browser: GET /query

    .. djconn:claim:: one-session
       :in: served
       :expect: db.sessions == 1

       There is one session.

    .. djconn:scenario:: in-a-file

       browser: GET /query

    .. djconn:claim:: one-connection
       :in: in-a-file
       :expect: db.opened == 1

       There is one connection.
"""

DSN = "postgresql://me:hush-hush@127.0.0.1:9/postgres"


def write(docs: Docs, database: str = "postgresql", step: str = "wait 10ms", **values: object) -> None:
    docs.configure(djconn_project=docs.project(views=VIEWS, settings=SETTINGS), **values)
    docs.page("index", PAGE.format(database=database, step=step))


def test_a_page_shows_the_sessions_at_the_end_of_each_step(docs: Docs, postgresql: str):
    write(docs)
    built = docs.build()
    assert built.warnings == []
    page = built.read("index.html")
    assert page.count("C1 idle") == 3
    assert "db.sessions" in page
    assert "PostgreSQL" in page
    assert "/tmp/" not in page


@pytest.mark.exhaustive
def test_two_builds_give_the_same_page(docs: Docs, postgresql: str):
    write(docs, step="database: end sessions")
    pages = []
    for _ in range(2):
        pages.append(docs.build("html", "-E").read("index.html"))
        shutil.rmtree(docs.doctrees / "djconn" / "recordings")
    assert pages[0] == pages[1]


@pytest.mark.exhaustive
def test_two_builds_at_once_do_not_disturb_each_other(docs: Docs, postgresql: str):
    write(docs)
    command = [sys.executable, "-m", "sphinx", "-b", "html"]
    builds = [
        subprocess.Popen(
            [*command, "-d", docs.folder / f"trees{n}", docs.source, docs.folder / f"out{n}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for n in range(2)
    ]
    for build in builds:
        said, _ = build.communicate(timeout=120)
        assert build.returncode == 0
        assert "WARNING" not in said, said


CONF = [
    ({"kind": "oracle"}, "['kind'] must be one of 'postgresql', 'mariadb'"),
    ({}, "['kind'] must be one of"),
    ({"kind": "postgresql", "DSN": "x"}, "unknown key `DSN`. Known: dsn, kind,"),
    ({"kind": "postgresql", "dsn": 5}, "['dsn'] must be a string"),
    ({"kind": "postgresql", "dsn": " "}, "without it, the build starts a server of its own"),
    ({"kind": "postgresql", "options": ["pool"]}, "['options'] must be a dictionary, as OPTIONS"),
    ({"kind": "postgresql", "options": {"pool": {1, 2}}}, "['options'] must consist of strings, numbers"),
    ({"kind": "mariadb", "options": {"pool": True}}, "a pool of connections for PostgreSQL only"),
    ({"kind": "postgresql", "max_connections": 0}, "['max_connections'] must be a number from 1 to 1000"),
    ({"kind": "postgresql", "max_connections": "5"}, "['max_connections'] must be a number from 1 to 1000"),
    ({"kind": "postgresql", "server_settings": {"a b": 1}}, "['server_settings'] must be a dictionary"),
    ({"kind": "postgresql", "server_settings": 5}, "['server_settings'] must be a dictionary"),
    ({"kind": "postgresql", "dsn": DSN, "max_connections": 5}, "'dsn' names one that others may use"),
]


@pytest.fixture(scope="module")
def of_no_use(shared_docs: Docs) -> Built:
    """A build with every table of ``CONF`` as a database, each named in a scenario."""
    names = [f"mine{number:02}" for number in range(len(CONF))]
    databases = dict(zip(names, (table for table, _ in CONF), strict=True))
    shared_docs.configure(djconn_project=shared_docs.project(), djconn_databases=databases)
    scenario = ".. djconn:scenario:: of-{0}\n   :database: {0}\n\n   browser: GET /\n\n"
    shared_docs.page("index", "Page\n====\n\n" + "".join(map(scenario.format, names)))
    return shared_docs.build()


@pytest.mark.parametrize("number", range(len(CONF)), ids=[said for _, said in CONF])
def test_a_profile_of_no_use_is_told_where_it_is_named(of_no_use: Built, shared_docs: Docs, number: int):
    line = shared_docs.line(f":: of-mine{number:02}")
    warning = of_no_use.warning("index.rst", line, kind="djconn.config")
    assert CONF[number][1] in warning.text
    assert "hush" not in of_no_use.errors


def test_profiles_that_are_no_tables_are_told(docs: Docs):
    write(docs, "mine", djconn_databases={"mine": "postgresql"})
    told = [each.text for each in docs.build().warnings if each.kind == "djconn.config"]
    assert any("djconn_databases['mine'] must be a dictionary" in each for each in told)


def test_a_dsn_that_nobody_answers_is_told_without_its_password(docs: Docs, postgresql: str):
    write(docs, "mine", djconn_databases={"mine": {"kind": "postgresql", "dsn": DSN}})
    built = docs.build()
    warning = built.warning("index.rst", docs.line("scenario:: served"), kind="djconn.run")
    assert "the server of the DSN of PostgreSQL in conf.py cannot be connected to" in warning.text
    assert "hush" not in built.errors + built.read("index.html")
    assert built.ran == ["in-a-file", "served"]


def test_a_restart_of_a_server_that_conf_py_names_is_refused_at_its_step(docs: Docs):
    write(docs, "mine", "database: restart", djconn_databases={"mine": {"kind": "postgresql", "dsn": DSN}})
    warning = docs.build().warning("index.rst", docs.line("database: restart"), kind="djconn.config")
    assert "others may be using it; remove 'dsn' from conf.py, or the step from the page" in warning.text


def test_a_fault_of_sqlite_names_the_databases_that_can_have_it(docs: Docs):
    write(docs, "sqlite", "database: refuse connections")
    warning = docs.build().warning("index.rst", docs.line("database: refuse"), kind="djconn.config")
    assert "use one of: postgresql, postgresql-pool, mariadb" in warning.text


@pytest.mark.parametrize("name", a_few(["psycopg", "psycopg_pool", "MySQLdb"], "psycopg"))
def test_what_is_not_installed_is_told_and_other_scenarios_run(docs: Docs, tmp_path: Path, name: str):
    tmp_path.joinpath("sitecustomize.py").write_text(f"import sys\nsys.modules[{name!r}] = None\n")
    database = {"psycopg": "postgresql", "psycopg_pool": "postgresql-pool", "MySQLdb": "mariadb"}[name]
    write(docs, database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        built = docs.build_apart()
    warning = built.warning("index.rst", docs.line("scenario:: served"), kind="djconn.absent")
    assert "install it with `pip install 'sphinx-djconn[" in warning.text
    claim = built.warning("index.rst", docs.line("claim:: one-session"))
    assert "unproven" in claim.text
    assert "one-connection" not in built.errors
    assert built.code == 0


def test_programs_that_are_not_there_are_told_and_other_scenarios_run(docs: Docs, monkeypatch, postgresql: str):
    from sphinx_djconn.lab.clusters import requirements  # noqa: PLC0415

    requirements._installed_version.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(binaries.postgresql, "__defaults__", ((), ()))
    write(docs)
    warning = docs.build().warning("index.rst", docs.line("scenario:: served"), kind="djconn.absent")
    requirements._installed_version.cache_clear()
    assert "no PostgreSQL that could be used is installed" in warning.text


def test_a_server_that_dies_in_a_run_is_told_at_the_step(docs: Docs, postgresql: str):
    views = VIEWS + (
        "\n\ndef kill(request):\n"
        "    import signal, time\n"
        "    with connection.cursor() as cursor:\n"
        "        cursor.execute('SELECT pg_backend_pid()')\n"
        "        pid = cursor.fetchone()[0]\n"
        "    parent = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])\n"
        "    os.kill(parent, signal.SIGKILL)\n"
        "    time.sleep(0.5)  # until its end was reported\n"
        "    return HttpResponse('killed')\n"
    )
    docs.configure(djconn_project=docs.project(views=views, settings=SETTINGS))
    docs.page("index", PAGE.format(database="postgresql", step="browser: GET /kill"))
    built = docs.build()
    warning = built.warning("index.rst", docs.line("GET /kill"), kind="djconn.run")
    assert "PostgreSQL" in warning.text
    assert "one-connection" not in built.errors


@pytest.mark.exhaustive
def test_pages_are_replayed_where_there_is_no_server(docs: Docs, tmp_path: Path, postgresql: str):
    write(docs, djconn_recordings="recordings")
    live = docs.build()
    assert live.warnings == []
    shutil.rmtree(docs.doctrees)
    write(docs, djconn_recordings="recordings", djconn_mode="replay")
    tmp_path.joinpath("sitecustomize.py").write_text("import sys\nsys.modules['psycopg'] = None\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        patch.setenv("PATH", "/nowhere")
        replayed = docs.build_apart()
    assert replayed.warnings == []
    assert replayed.read("index.html") == live.read("index.html")


@pytest.mark.exhaustive
def test_a_recording_of_a_profile_that_has_changed_is_told_to_be_stale(docs: Docs, postgresql: str):
    profile = {"kind": "postgresql", "options": {}}
    write(docs, "mine", djconn_recordings="recordings", djconn_databases={"mine": profile})
    assert docs.build().warnings == []
    changed = {"mine": {**profile, "options": {"application_name": "other"}}}
    write(docs, "mine", djconn_recordings="recordings", djconn_mode="replay", djconn_databases=changed)
    warning = docs.build("html", "-E").warning("index.rst", kind="djconn.stale")
    assert "what conf.py says of the database changed" in warning.text


def test_an_interrupted_build_leaves_no_server(docs: Docs, postgresql: str):
    write(docs, step="browser: GET /held")
    held, limit = docs.folder / "site" / ".held", time.monotonic() + 60
    with docs.building() as build:
        while not held.exists():
            assert time.monotonic() < limit
            time.sleep(0.01)
        assert any("postgres" in each.name() for each in docs.processes())
        os.killpg(build.pid, signal.SIGINT)
        build.communicate(timeout=60)
    assert docs.left_behind(10) == []


WAITING = """
import time
from contextlib import suppress

import psutil


def setup(app):
    app.connect("source-read", read)


def read(app, docname, source):
    limit = time.monotonic() + 30
    while docname == "last" and time.monotonic() < limit:
        with suppress(psutil.NoSuchProcess):
            if "postgres" in {each.name() for each in psutil.Process().children(recursive=True)}:
                source[0] += "The server runs while this page is read.\\n"
                return
        time.sleep(0.05)
"""


@pytest.mark.exhaustive
def test_a_server_starts_while_further_pages_are_read(docs: Docs, postgresql: str):
    write(docs)
    with docs.source.joinpath("conf.py").open("a", encoding="utf-8") as conf:
        conf.write(WAITING)
    docs.page("last", ":orphan:\n\nLast\n====\n\n")
    built = docs.build_apart()
    assert built.warnings == []
    assert "The server runs" in built.read("last.html")
