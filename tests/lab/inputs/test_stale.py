"""What makes a recording stale: what its runs used, and nothing else; and what a build says of it."""

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import sphinx_djconn
from tests.support.building import Built, Docs, documentation

SCENARIO = """
.. djconn:scenario:: {name}
   :server: {server}

   browser: GET /{path} as first

.. djconn:claim:: of-{name}
   :in: {name}
   :expect: first.json.told == "one"

   One is told.
"""


def page(docs: Docs, *names: str, server: str = "runserver", query: str = "") -> None:
    """Write a page with a scenario for each of the views ``names``, which is to tell ``one``."""
    scenarios = [SCENARIO.format(name=name, path=f"{name}{query}", server=server) for name in names]
    docs.page("index", "\n".join(["Stale", "=====", *scenarios]))


def write(docs: Docs, views: str, *names: str, settings: str = "", **values: object) -> None:
    """Write a project with ``views`` and the page about those of the ``names``."""
    views = textwrap.dedent(views)
    docs.configure(djconn_project={**docs.project(views=views, settings=settings), **values})
    page(docs, *(names or ("told",)))


TELLING = """
def told(request):
    return JsonResponse({"told": TOLD})
"""


def reasons(built: Built) -> dict[str, str]:
    """Return why the build has run each scenario."""
    return dict(re.findall(r"^djconn: running `(.*?)`: (.*)$", built.status, re.MULTILINE))


def refuted(built: Built) -> set[str]:
    """Return the scenarios whose claims the build has refuted."""
    found = re.findall(r"djconn:claim `of-(.*?)`: refuted", built.errors)
    assert len(found) == len(built.warnings), built.errors
    return set(found)


VIEWS = """
import importlib
from pathlib import Path

from django.template.loader import render_to_string

HERE = Path(__file__).parent


def answer(text):
    return JsonResponse({"told": text.strip() or "one"})


def untouched(request):
    return answer("one")


def opened(request):
    return answer(open("data.txt").read())


def open_failed(request):
    try:
        return answer((HERE / "absent.txt").read_text())
    except FileNotFoundError:
        return answer("one")


def exists(request):
    return answer((HERE / ".env").read_text() if (HERE / ".env").exists() else "one")


def is_file(request):
    return answer(open("is_file.txt").read() if os.path.isfile("is_file.txt") else "one")


def access(request):
    return answer(open("access.txt").read() if os.access("access.txt", os.R_OK) else "one")


def listed(request):
    return answer("one" if len(os.listdir(HERE / "listed")) == 1 else "two")


def globbed(request):
    return answer("one" if not list(HERE.joinpath("listed").glob("*.md")) else "two")


def imported(request):
    return answer(importlib.import_module("inner.values").TOLD)


def import_failed(request):
    try:
        return answer(importlib.import_module("local_values").TOLD)
    except ImportError:
        return answer("one")


def shadowed(request):
    return answer(getattr(importlib.import_module("colorsys"), "TOLD", "one"))


def template(request):
    return answer(render_to_string("told.txt"))


def earlier_template(request):
    return answer(render_to_string("earlier.txt"))


def variable(request):
    return answer(os.environ.get("SITE_TOLD", "one"))


def variable_in(request):
    return answer(os.environ["SITE_IN"] if "SITE_IN" in os.environ else "one")


def all_variables(request):
    return answer(dict(os.environ).get("SITE_ALL", "one"))
"""

SETTINGS = """
INSTALLED_APPS = ["app"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "first"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": []},
    }
]
"""

FILES = {
    "data.txt": "one",
    "listed/a.txt": "one",
    "inner/__init__.py": "",
    "inner/values.py": "TOLD = 'one'\n",
    "app/__init__.py": "",
    "app/templates/told.txt": "one",
    "app/templates/earlier.txt": "one",
    "app/templates/unused.txt": "one",
}

CHANGED = {
    "data.txt": "two",
    "absent.txt": "two",
    ".env": "two",
    "is_file.txt": "two",
    "access.txt": "two",
    "listed/b.md": "two",
    "inner/values.py": "TOLD = 'two'\n",
    "local_values.py": "TOLD = 'two'\n",
    "colorsys.py": "TOLD = 'two'\n",
    "app/templates/told.txt": "two",
    "first/earlier.txt": "two",
}

UNUSED = {
    "app/templates/unused.txt": "two",
    "build/lib/views.py": "two",
    "site.egg-info/PKG-INFO": "two",
    "coverage.xml": "two",
    ".coverage": "two",
    "more.py": "TOLD = 'two'\n",
    "notes/README.md": "two",
    "__pycache__/views.cpython-313.pyc": "two",
    "db.sqlite3": "two",
}

WHY = {
    "opened": "data.txt changed",
    "open_failed": "new file absent.txt",
    "exists": "new file .env",
    "is_file": "new file is_file.txt",
    "access": "new file access.txt",
    "listed": "new file listed/b.md",
    "globbed": "new file listed/b.md",
    "imported": "inner/values.py changed",
    "import_failed": "new file local_values.py",
    "shadowed": "new file colorsys.py",
    "template": "app/templates/told.txt changed",
    "earlier_template": "new file first/earlier.txt",
    "variable": "SITE_TOLD was set",
    "variable_in": "SITE_IN changed",
    "all_variables": "SITE_ALL was set, SITE_IN changed, SITE_TOLD was set",
}

UNDONE = {
    "opened": "data.txt changed",
    "open_failed": "absent.txt is gone",
    "exists": ".env is gone",
    "variable": "SITE_TOLD was unset",
}


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> Iterator[list[Built]]:
    """Four builds: the first, and those after changes of no importance, after changes, and after their end."""
    with (
        documentation(tmp_path_factory.mktemp("stale") / "docs", databases) as docs,
        pytest.MonkeyPatch.context() as patch,
    ):
        site = docs.folder / "site"
        patch.setenv("SITE_IN", "one")
        write(docs, VIEWS, "untouched", *WHY, settings=SETTINGS)
        put(site, FILES)
        found = [docs.build()]
        put(site, UNUSED)
        patch.setenv("GITHUB_RUN_ID", "1")
        found.append(docs.build())
        put(site, CHANGED)
        patch.setenv("SITE_TOLD", "two")
        patch.setenv("SITE_IN", "two")
        patch.setenv("SITE_ALL", "two")
        found.append(docs.build())
        for name in CHANGED.keys() - FILES.keys():
            site.joinpath(name).unlink()
        put(site, FILES)
        patch.delenv("SITE_TOLD")
        patch.setenv("SITE_IN", "one")
        patch.delenv("SITE_ALL")
        found.append(docs.build())
        yield found


def test_the_first_build_says_that_there_is_no_recording(builds: list[Built]) -> None:
    assert reasons(builds[0]) == dict.fromkeys(["untouched", *WHY], "no recording")
    assert builds[0].warnings == []


def test_what_no_run_uses_makes_nothing_stale(builds: list[Built]) -> None:
    assert (builds[1].ran, builds[1].warnings) == ([], [])


@pytest.mark.parametrize("name", WHY)
def test_what_a_run_has_used_or_looked_for_makes_it_stale(builds: list[Built], name: str) -> None:
    assert reasons(builds[2]).get(name) == WHY[name]
    assert name in refuted(builds[2])


def test_a_run_depends_on_nothing_that_only_others_use(builds: list[Built]) -> None:
    assert reasons(builds[2]).keys() == WHY.keys()


@pytest.mark.parametrize("name", WHY)
def test_what_is_mended_is_no_more_refuted(builds: list[Built], name: str) -> None:
    assert builds[3].warnings == []
    assert reasons(builds[3])[name] == UNDONE.get(name, reasons(builds[3])[name])


def test_an_edited_scenario_and_the_mode_run_are_told_apart(docs: Docs) -> None:
    write(docs, "TOLD = 'one'\n" + TELLING)
    docs.build()
    page(docs, "told", query="?edited")
    assert reasons(docs.build()) == {"told": "scenario edited"}
    assert reasons(docs.build("html", "-D", "djconn_mode=run")) == {"told": "djconn_mode is 'run'"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own, that has what this one has, and where packages can be installed."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    root = str(Path(sphinx_djconn.__file__).parents[1])
    outer = [each for each in sys.path if each.endswith("-packages") or each == root]
    packages.joinpath("outer.pth").write_text("\n".join(outer) + "\n")
    return folder


@pytest.fixture
def packages(environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where packages are installed, for builds that are made by ``build_apart``."""
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    (folder,) = environment.glob("lib/python*/site-packages")
    yield folder
    for path in folder.glob("*djstale*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def package(folder: Path, name: str, told: str) -> Path:
    """Write a package as it lies in a checkout; return the folder to import it from."""
    source = folder / "src" / name
    source.mkdir(parents=True, exist_ok=True)
    source.joinpath("__init__.py").write_text(f"TOLD = {told!r}\n")
    source.joinpath("unused.py").touch()
    return source.parent


def install(source: Path, packages: Path, version: str) -> None:
    """Do what pip does for a plain installation."""
    for old in packages.glob("djstale_plain*"):
        shutil.rmtree(old)
    shutil.copytree(source / "djstale_plain", packages / "djstale_plain")
    metadata = packages / f"djstale_plain-{version}.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text(f"Name: djstale-plain\nVersion: {version}\n")
    metadata.joinpath("RECORD").write_text("djstale_plain/__init__.py,,\ndjstale_plain/unused.py,,\n")


FINDER = """
import sys
from importlib.util import spec_from_file_location

MAPPING = {{"djstale_finder": {place!r}}}

class _EditableFinder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return spec_from_file_location(name, MAPPING[name] + "/__init__.py")

def install():
    sys.meta_path.append(_EditableFinder)
"""
"""What setuptools puts beside an editable installation."""


INSTALLED = """
def told(request):
    from djstale_plain import TOLD
    return JsonResponse({"told": TOLD})

def by_path(request):
    from djstale_path import TOLD
    return JsonResponse({"told": TOLD})

def by_finder(request):
    from djstale_finder import TOLD
    return JsonResponse({"told": TOLD})
"""


def with_path(source: Path, packages: Path) -> None:
    """Do what hatch does for an editable installation of ``djstale_path``."""
    packages.joinpath("_djstale_path.pth").write_text(f"{source}\n")


def with_finder(source: Path, packages: Path) -> None:
    """Do what setuptools does for one of ``djstale_finder``."""
    module = "__editable___djstale_finder_1_0_finder"
    packages.joinpath(f"{module}.py").write_text(FINDER.format(place=str(source / "djstale_finder")))
    packages.joinpath("__editable__.djstale-1.0.pth").write_text(f"import {module}; {module}.install()\n")


def test_a_package_is_noticed_however_it_is_installed(
    docs: Docs, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The docs of a package, with an example project beside it; a plain installation, and two editable ones."""

    def packages_tell(told: str, version: str = "1.0") -> None:
        install(package(docs.folder / "elsewhere", "djstale_plain", told), packages, version)
        package(docs.folder, "djstale_path", told)
        package(docs.folder, "djstale_finder", told)

    packages_tell("one")
    with_path(docs.folder / "src", packages)
    with_finder(docs.folder / "src", packages)
    write(docs, INSTALLED, "told", "by_path", "by_finder")
    first = docs.build_apart()
    assert (len(first.ran), first.warnings) == (3, []), first.errors

    packages_tell("one")  # with the same files, installed anew
    docs.folder.joinpath("src", "djstale_path", "unused.py").write_text("# changed")
    packages.joinpath("djstale_other").mkdir()
    packages.joinpath("djstale_other-1.0.dist-info").mkdir()
    assert docs.build_apart().ran == []

    packages_tell("two")
    changed = docs.build_apart()
    assert refuted(changed) == {"told", "by_path", "by_finder"}
    assert reasons(changed) == {
        "told": "site-packages/djstale_plain/__init__.py changed",
        "by_path": "src/djstale_path/__init__.py changed",
        "by_finder": "src/djstale_finder/__init__.py changed",
    }

    packages_tell("one", "1.1")
    mended = docs.build_apart()
    assert mended.warnings == []
    assert reasons(mended)["told"] == "djstale-plain 1.0 -> 1.1"

    # Found elsewhere: other checkouts, and a folder that comes first.
    for name in ("djstale_path", "djstale_finder"):
        package(docs.folder / "other", name, "two")
    with_path(docs.folder / "other" / "src", packages)
    with_finder(docs.folder / "other" / "src", packages)
    monkeypatch.setenv("PYTHONPATH", str(package(docs.folder / "first", "djstale_plain", "two")))
    assert refuted(docs.build_apart()) == {"told", "by_path", "by_finder"}


MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.CreateModel("Told", [("id", models.AutoField(primary_key=True))])]
"""

FILLING = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("app", "0001_initial")]
    operations = [migrations.RunPython(lambda apps, _: apps.get_model("app", "Told").objects.create())]
"""


COUNTING = """
    def told(request):
        from app.models import Told

        return JsonResponse({"told": {0: "one", 1: "two"}[Told.objects.count()]})
"""


def test_a_new_migration_is_noticed_and_makes_the_databases_anew(docs: Docs) -> None:
    models = "from django.db import models\n\nclass Told(models.Model):\n    pass\n"
    app = {"__init__.py": "", "models.py": models}
    app |= {"migrations/__init__.py": "", "migrations/0001_initial.py": MIGRATION}
    put(docs.folder / "site" / "app", app)
    write(docs, COUNTING, settings='INSTALLED_APPS = ["app"]\n')
    assert docs.build().warnings == []
    put(docs.folder / "site" / "app" / "migrations", {"0002_fill.py": FILLING})
    built = docs.build()
    assert reasons(built) == {"told": "new file app/migrations/0002_fill.py"}
    assert refuted(built) == {"told"}


def test_no_recording_tells_the_value_of_a_variable(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_SECRET", "3b1c-very-secret")
    write(docs, "TOLD = 'one' if os.environ['SIGNING_SECRET'] else 'two'\n" + TELLING)
    assert docs.build().warnings == []
    text = docs.recordings[0].read_text("utf-8")
    assert "SIGNING_SECRET" in text
    assert "very-secret" not in text


INDEXING = """
    from pathlib import Path

    TOLD = "one"
    INDEX = Path(os.environ.get("SEARCH_INDEX") or Path(__file__).parent / "search" / "index.json")
    COUNT = len(INDEX.read_text().split()) if INDEX.exists() else 0
    INDEX.parent.mkdir(exist_ok=True)
    INDEX.write_text("entry " * (COUNT + 1))
"""


def test_what_the_project_writes_is_said_and_makes_nothing_stale(docs: Docs) -> None:
    write(docs, textwrap.dedent(INDEXING) + TELLING)
    index = docs.folder / "site" / "search" / "index.json"
    first = docs.build()
    told = "while it runs, the project writes into its own folder: search, search/index.json."
    assert first.status.count(told) == 1
    assert "`env` of djconn_project" in first.status
    index.write_text("other")
    assert docs.build().ran == []
    variables = {"SEARCH_INDEX": "{folder}/index/index.json"}
    docs.configure(djconn_project={"path": "../site", "settings": "site_settings", "env": variables})
    shutil.rmtree(index.parent)
    elsewhere = docs.build()
    assert reasons(elsewhere) == {"told": "what conf.py says of the project changed"}
    assert elsewhere.warnings == []
    assert "writes into its own folder" not in elsewhere.status
    assert not index.parent.exists()
    assert docs.build().ran == []


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("A=1", "must be a dictionary of strings"),
        ({"A": 1}, "must be a dictionary of strings"),
        ({"A": "{port}"}, "unknown placeholder `{port}`"),
        ({"PYTHONPATH": "/"}, "`PYTHONPATH` cannot be set there"),
        ({"DJCONN_SOCKET": "/"}, "`DJCONN_SOCKET` cannot be set there"),
    ],
)
def test_variables_of_no_use_are_said(docs: Docs, env: object, told: str) -> None:
    write(docs, "TOLD = 'one'\n" + TELLING, env=env)
    warnings = [each for each in docs.build().warnings if each.kind == "djconn.config"]
    assert [told in each.text for each in warnings] == [True]


READING = """
    def told(request):
        return JsonResponse({"told": open("data.txt").read()})
"""


def test_a_file_that_changes_while_it_is_used_is_looked_at_again(docs: Docs) -> None:
    write(docs, READING)
    data = docs.folder / "site" / "data.txt"
    data.write_text("one")
    with docs.source.joinpath("conf.py").open("a") as conf:
        # When pages are read, the build has begun, and no server has.
        conf.write("def setup(app):\n    app.connect('doctree-read', change)\n")
        conf.write(f"def change(*_):\n    import pathlib\n    pathlib.Path({str(data)!r}).write_text('one')\n")
    assert docs.build().warnings == []
    assert reasons(docs.build()) == {"told": "data.txt changed while it was recorded"}
    assert docs.build().ran == []


@pytest.mark.exhaustive
def test_the_same_on_another_machine_is_not_stale(docs: Docs) -> None:
    """A checkout in another folder, with its recordings, where nothing was built before."""
    write(docs, "TOLD = 'one'\n" + TELLING)
    with docs.source.joinpath("conf.py").open("a") as conf:
        conf.write("djconn_recordings = 'recordings'\n")
    assert docs.build().ran == ["told"]
    moved = docs.folder / "moved"
    for name in ("pages", "site"):
        shutil.copytree(docs.folder / name, moved / name)
    command = ["-b", "html", "-d", str(moved / "doctrees"), str(moved / "pages"), str(moved / "html")]
    assert docs.run(command).ran == []
    views = moved / "site" / "views.py"
    views.write_text(views.read_text().replace("'one'", "'two'"))
    replayed = docs.run([*command, "-D", "djconn_mode=replay"])
    assert "made from something else: views.py changed;" in replayed.errors
    assert reasons(docs.run(command)) == {"told": "views.py changed"}


SERVERS = ("gunicorn-sync", "uwsgi", "runserver-reload", "uvicorn", "runserver")


@pytest.mark.exhaustive
def test_what_the_workers_of_any_server_use_is_recorded(docs: Docs) -> None:
    write(docs, READING)
    data = docs.folder / "site" / "data.txt"
    data.write_text("one")
    scenarios = [SCENARIO.format(name=server, path="told", server=server) for server in SERVERS]
    docs.page("index", "\n".join(["Stale", "=====", *scenarios]))
    docs.configure(djconn_project={"path": "../site", "settings": "site_settings"}, djconn_warm=False)
    assert docs.build().warnings == []
    assert docs.build().ran == []
    data.write_text("two")
    built = docs.build()
    assert reasons(built) == dict.fromkeys(SERVERS, "data.txt changed")
    assert refuted(built) == set(SERVERS)


OLD = """
import importlib.util, os, sys
init = sys.argv[1] + "/__init__.py"
spec = importlib.util.spec_from_file_location("recorder", init, submodule_search_locations=[sys.argv[1]])
sys.modules["recorder"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.install().write_to(sys.argv[2])
os.path.exists("/nowhere/.env")
os.environ.get("SOME_VARIABLE")
dict(os.environ)
os.listdir("/")
import shutil, wsgiref.handlers
try:
    import not_there_at_all
except ImportError:
    pass
try:
    open("/nowhere/data")
except OSError:
    pass
"""


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_every_python_records(tmp_path: Path, version: str) -> None:
    # A program on the PATH may be a script that looks for another one.
    found = [
        *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
        shutil.which(f"python{version}"),
    ]
    if found == [None]:
        pytest.skip(f"there is no Python {version}")
    python = str(found[0])
    recorder = Path(__file__).parents[3] / "sphinx_djconn" / "probe" / "inputs"
    subprocess.run([python, "-c", OLD, recorder, tmp_path / "inputs"], check=True, timeout=60)
    records = set(tmp_path.joinpath("inputs").read_text("utf-8").split("\0"))
    assert {"s/nowhere/.env", "eSOME_VARIABLE", "E", "mnot_there_at_all"} <= records
    audited = tuple(map(int, version.split("."))) >= (3, 8)
    assert ("t" in records) is not audited
    assert ({"r/nowhere/data", "l/"} <= records) is audited


def test_recording_changes_nothing(tmp_path: Path) -> None:
    code = """
import os, shutil
assert os.stat in os.supports_follow_symlinks and os.stat in os.supports_dir_fd
assert os.stat(path=".").st_mode and os.stat(0).st_mode and os.path.exists(b".")
assert shutil.rmtree.avoids_symlink_attacks
"""
    recorder = Path(__file__).parents[3] / "sphinx_djconn" / "probe" / "inputs"
    script = tmp_path / "script.py"
    script.write_text(OLD.partition("os.path")[0] + code)
    subprocess.run([sys.executable, script, recorder, tmp_path / "inputs"], check=True)


def test_the_log_has_one_line_for_the_cells_of_a_matrix(docs: Docs) -> None:
    write(docs, "TOLD = 'one'\n" + TELLING)
    matrix = ".. djconn:matrix:: ages\n   :conn-max-age: none, 0\n\n   browser: GET /told\n"
    docs.page("index", f"Matrix\n======\n\n{matrix}")
    assert "djconn: running `ages` (2 of its cells): no recording" in docs.build().status
