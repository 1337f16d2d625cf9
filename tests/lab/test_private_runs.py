"""A run and the project: its files, its databases, its fixtures stay as they are."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.file_digest import tree_digest
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import DEMO, Project, read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts, facts_of
from tests.support.building import Docs
from tests.support.choosing import a_few

VIEWS = """
from django.db import connections


def where(request):
    return JsonResponse({
        alias: {"name": settings["NAME"], "engine": settings["ENGINE"], "host": settings["HOST"],
                "password": settings["PASSWORD"], "options": sorted(settings["OPTIONS"])}
        for alias, settings in connections.settings.items()
    })


def tables(request):
    return JsonResponse({alias: connections[alias].introspection.table_names() for alias in connections})


def change(request):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS mine (n int)")
        cursor.execute("INSERT INTO mine VALUES (1)")
        cursor.execute("SELECT count(*) FROM mine")
        return JsonResponse({"rows": cursor.fetchone()[0]})


def both(request):
    for alias in connections:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    return HttpResponse("both")
"""

APPS = 'INSTALLED_APPS = ["django.contrib.contenttypes"]\n'


def run(docs: Docs, databases: Path, sequence: str, settings: str = "", **options: Any) -> Facts:
    project = read_project(docs.project(views=VIEWS, settings=settings), docs.source)
    return run_project(project, databases, sequence, **options)


def run_project(project: Project, databases: Path, sequence: str, **options: Any) -> Facts:
    with closing(Laboratory(Profiles(projects={"default": project}), databases)) as laboratory:
        (trace,) = laboratory.run(Scenario(parse_sequence(sequence), **options)).runs
    return facts_of(trace)


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return all files in ``folder``, caches of bytecode too, with content and time of change."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("server", a_few(["runserver", "runserver-reload"], "runserver"))
def test_nothing_is_written_into_the_project_s_folder(docs: Docs, databases: Path, server: str) -> None:
    docs.project(views=VIEWS)
    before = everything(docs.folder / "site")
    reload = "reload\n" if "reload" in server else ""
    run(docs, databases, f"browser: GET /change\n{reload}browser: GET /change", server=server)
    assert everything(docs.folder / "site").keys() == before.keys()
    assert not list(docs.folder.joinpath("site").rglob("__pycache__"))


def test_nothing_is_written_into_the_demo_site(databases: Path) -> None:
    before = everything(DEMO.path)
    figures = run_project(DEMO, databases, "browser: POST /polls/ -> 201\nbrowser: GET /polls/").figures
    assert figures["db.opened"] > 0
    assert everything(DEMO.path) == before


def test_the_project_s_own_database_is_neither_read_nor_written(docs: Docs, databases: Path) -> None:
    docs.project(views=VIEWS)
    own = docs.folder / "site" / "db.sqlite3"
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("CREATE TABLE mine (n int)")
        connection.executemany("INSERT INTO mine VALUES (?)", [(7,), (8,), (9,)])
        connection.commit()
    before = (own.read_bytes(), own.stat().st_mtime_ns, own.stat().st_atime_ns)
    figures = run(docs, databases, "browser: GET /change as first\nbrowser: GET /change as second").figures
    assert figures["first.json"] == {"rows": 1}
    assert figures["second.json"] == {"rows": 2}
    assert (own.read_bytes(), own.stat().st_mtime_ns) == before[:2]


def test_what_a_run_writes_is_not_there_in_the_next(docs: Docs, databases: Path) -> None:
    for _ in range(2):
        assert run(docs, databases, "browser: GET /change as only").figures["only.json"] == {"rows": 1}


def test_a_database_is_in_the_run_s_own_folder(docs: Docs, databases: Path) -> None:
    shown = run(docs, databases, "browser: GET /where as shown").figures["shown.json"]["default"]
    assert shown["name"] == "<run>/default.sqlite3"


def test_another_kind_of_database_is_replaced(docs: Docs, databases: Path) -> None:
    settings = """
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "production",
            "HOST": "db.example.org",
            "USER": "ada",
            "PASSWORD": "lovelace-1815",
            "OPTIONS": {"pool": True, "sslmode": "require"},
            "CONN_MAX_AGE": 60,
        }
    }
    """
    figures = run(
        docs, databases, "browser: GET /where as shown\nbrowser: GET /change -> 200", settings
    ).figures
    assert figures["shown.json"]["default"] == {
        "name": "<run>/default.sqlite3",
        "engine": "django.db.backends.sqlite3",
        "host": "",
        "password": "",
        "options": [],
    }
    assert figures["db.open"] == 1


def test_each_of_two_databases_is_private_migrated_and_counted(docs: Docs, databases: Path) -> None:
    settings = APPS + 'DATABASES["other"] = {**DATABASES["default"], "NAME": "/nowhere/other.sqlite3"}\n'
    figures = run(
        docs,
        databases,
        "browser: GET /where as where\nbrowser: GET /both as both\nbrowser: GET /tables as tables",
        settings,
    ).figures
    assert figures["where.json"]["other"]["name"] == "<run>/other.sqlite3"
    assert figures["both.db_connections"] == 2
    assert all("django_content_type" in tables for tables in figures["tables.json"].values())


def test_a_mirror_of_a_database_shares_its_file(docs: Docs, databases: Path) -> None:
    settings = APPS + (
        'DATABASES["replica"] = {**DATABASES["default"], "NAME": "/nowhere/replica", '
        '"TEST": {"MIRROR": "default"}}\n'
    )
    shown = run(docs, databases, "browser: GET /where as where", settings).figures["where.json"]
    assert shown["replica"]["name"] == shown["default"]["name"]


def test_fixtures_are_loaded(docs: Docs, databases: Path) -> None:
    table = {**docs.project(views=VIEWS, settings=APPS), "fixtures": ["more"]}
    fixture = docs.folder / "more.json"
    fixture.write_text(
        json.dumps(
            [{"model": "contenttypes.contenttype", "pk": 99, "fields": {"app_label": "a", "model": "m"}}]
        )
    )
    views = VIEWS + (
        "\ndef types(request):\n    from django.contrib.contenttypes.models import ContentType\n"
        "    return JsonResponse({'found': ContentType.objects.filter(pk=99).count()})\n"
    )
    docs.project(views=views, settings=APPS + f"FIXTURE_DIRS = [{str(docs.folder)!r}]\n")
    figures = run_project(read_project(table, docs.source), databases, "browser: GET /types as types").figures
    assert figures["types.json"] == {"found": 1}


def test_databases_are_prepared_once_for_all_runs(docs: Docs, databases: Path) -> None:
    count = docs.folder / "count"
    settings = f'import sys\nif "prepare" in sys.argv[0]:\n    open({str(count)!r}, "a").write("x")\n'
    project = read_project(docs.project(settings=settings), docs.source)
    with closing(Laboratory(Profiles(projects={"default": project}), databases)) as laboratory:
        laboratory.run(Scenario(parse_sequence("browser: GET /"), runs=3))
        laboratory.run(Scenario(parse_sequence("2 x browser: GET /")))
    assert count.read_text() == "x"


def test_hosts_that_the_project_allows_do_not_keep_the_lab_out(docs: Docs, databases: Path) -> None:
    settings = 'DEBUG = False\nALLOWED_HOSTS = ["example.org"]\n'
    assert run(docs, databases, "browser: GET / -> 200", settings).figures["responses"] == 1


def test_a_setting_that_hides_itself_is_no_obstacle(docs: Docs, databases: Path) -> None:
    settings = """
    class Odd(dict):
        def __repr__(self):
            raise RuntimeError
    ODD_KEY = Odd(key=["in a list, quite long"], number=1, nothing=None)
    SETS_OF_KEYS = {"in a set, quite long", 7}
    """
    assert run(docs, databases, "browser: GET / -> 200", settings).figures["responses"] == 1


def test_the_digest_of_a_folder_sees_names_and_contents_and_no_caches(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.py").write_text("one")
    first = tree_digest(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("cache")
    (folder / "db.sqlite3").write_text("data")
    assert tree_digest(folder) == first
    (folder / "a.py").write_text("two")
    os.utime(folder / "a.py", ns=(1, 1))
    second = tree_digest(folder)
    assert second != first
    (folder / "a.py").rename(folder / "b.py")
    assert tree_digest(folder) not in (first, second)
    (folder / "docs").mkdir()
    (folder / "docs" / "index.rst").write_text("text")
    assert tree_digest(folder) != tree_digest(folder, [folder / "docs"])


def test_a_link_that_leads_nowhere_and_a_file_that_cannot_be_read_are_no_obstacle(
    docs: Docs, databases: Path
) -> None:
    docs.project(views=VIEWS)
    (docs.folder / "site" / "link").symlink_to("/nowhere")
    (docs.folder / "site" / "closed").write_text("closed")
    (docs.folder / "site" / "closed").chmod(0)
    assert run(docs, databases, "browser: GET / -> 200").figures["responses"] == 1
