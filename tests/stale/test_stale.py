"""What makes a recording stale: what its runs used, and nothing else; and what a build says of it."""

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import Built, Docs

import sphinx_djconn

PAGE = """
    Stale
    =====

    .. djconn:scenario:: kept

       browser: GET /{path} as first

    .. djconn:claim:: answers
       :in: kept
       :expect: first.json.told == "{told}"

       It is told.
"""

VIEWS = """
    def told(request):
        return JsonResponse({"told": TOLD})
"""


def write(docs: Docs, views: str, settings: str = "", *, told: str = "one", **values: object) -> dict[str, str]:
    """Write a project that answers ``/told`` with the value of ``TOLD``, and a page that asks for it."""
    project = docs.project(views=textwrap.dedent(views) + textwrap.dedent(VIEWS), settings=settings)
    docs.configure(djconn_project={**project, **values})
    docs.page("index", PAGE.format(path="told", told=told))
    return project


def why(built: Built, name: str = "kept") -> str:
    """Return why the build has run the scenario ``name``."""
    found = re.findall(rf"^djconn: running `{re.escape(name)}`: (.*)$", built.status, re.MULTILINE)
    assert len(found) == 1, built.status
    assert name in built.ran
    return str(found[0])


def once(docs: Docs) -> Docs:
    """Build, and once more, which runs nothing."""
    first = docs.build()
    assert first.warnings == []
    assert why(first) == "no recording"
    again = docs.build()
    assert (again.ran, again.warnings) == ([], [])
    return docs


def refuted(docs: Docs) -> Built:
    """Build, and expect the claim to be refuted by a run that was made now."""
    built = docs.build()
    assert "refuted" in built.warning("index.rst", kind="djconn.claim").text
    return built


def test_a_new_scenario_an_edited_one_and_the_mode_run_are_told_apart(docs: Docs) -> None:
    write(docs, "TOLD = 'one'\n")
    once(docs)
    docs.page("index", PAGE.format(path="told?edited", told="one"))
    assert why(docs.build()) == "scenario edited"
    built = docs.build("html", "-D", "djconn_mode=run")
    assert why(built) == "djconn_mode is 'run'"


def test_a_changed_view_is_named(docs: Docs) -> None:
    write(docs, "TOLD = 'one'\n")
    once(docs)
    write(docs, "TOLD = 'two'\n")
    assert why(refuted(docs)) == "views.py changed"
    write(docs, "TOLD = 'one'\n")
    mended = docs.build()
    assert (why(mended), mended.warnings) == ("views.py changed", [])


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


USING = "from djstale_sample import TOLD\n"


def package(folder: Path, told: str = "one") -> Path:
    """Write a package as it lies in a checkout; return the folder to import it from."""
    source = folder / "src" / "djstale_sample"
    source.mkdir(parents=True, exist_ok=True)
    source.joinpath("__init__.py").write_text(f"TOLD = {told!r}\n")
    source.joinpath("unused.py").touch()
    return source.parent


def install(source: Path, packages: Path, version: str = "1.0") -> None:
    """Do what pip does for a plain installation."""
    for old in packages.glob("djstale_sample*"):
        shutil.rmtree(old)
    shutil.copytree(source / "djstale_sample", packages / "djstale_sample")
    metadata = packages / f"djstale_sample-{version}.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text(f"Name: djstale-sample\nVersion: {version}\n")
    metadata.joinpath("RECORD").write_text("djstale_sample/__init__.py,,\ndjstale_sample/unused.py,,\n")


FINDER = """
import sys
from importlib.util import spec_from_file_location

MAPPING = {{"djstale_sample": {place!r}}}

class _EditableFinder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return spec_from_file_location(name, MAPPING[name] + "/__init__.py")

def install():
    sys.meta_path.append(_EditableFinder)
"""
"""What setuptools puts beside an editable installation."""


def with_path(source: Path, packages: Path) -> None:
    packages.joinpath("_djstale_sample.pth").write_text(f"{source}\n")


def with_finder(source: Path, packages: Path) -> None:
    module = "__editable___djstale_sample_1_0_finder"
    packages.joinpath(f"{module}.py").write_text(FINDER.format(place=str(source / "djstale_sample")))
    packages.joinpath("__editable__.djstale_sample-1.0.pth").write_text(
        f"import {module}; {module}.install()\n"
    )


def once_apart(docs: Docs) -> None:
    first = docs.build_apart()
    assert first.warnings == [], first.errors
    assert why(first) == "no recording"
    assert docs.build_apart().ran == []


def refuted_apart(docs: Docs) -> Built:
    built = docs.build_apart()
    assert "refuted" in built.warning("index.rst", kind="djconn.claim").text
    return built


@pytest.mark.parametrize("editable", [with_path, with_finder])
def test_an_editable_package_that_changes_is_noticed_both_ways(
    docs: Docs, packages: Path, editable: Callable[[Path, Path], None]
) -> None:
    editable(package(docs.folder), packages)
    write(docs, USING)
    once_apart(docs)
    docs.folder.joinpath("src", "djstale_sample", "unused.py").write_text("# changed")
    assert docs.build_apart().ran == []
    package(docs.folder, "two")
    assert why(refuted_apart(docs)) == "src/djstale_sample/__init__.py changed"
    package(docs.folder)
    mended = docs.build_apart()
    assert (why(mended), mended.warnings) == ("src/djstale_sample/__init__.py changed", [])
    # Another checkout, from which it is installed now.
    editable(package(docs.folder / "other", "two"), packages)
    assert "other/src/djstale_sample" in why(refuted_apart(docs))


def test_a_package_that_is_installed_anew_is_noticed_both_ways(docs: Docs, packages: Path) -> None:
    elsewhere = docs.folder / "elsewhere"
    install(package(elsewhere), packages)
    write(docs, USING)
    once_apart(docs)
    install(package(elsewhere), packages)
    assert docs.build_apart().ran == []
    install(package(elsewhere, "two"), packages)
    assert why(refuted_apart(docs)) == "site-packages/djstale_sample/__init__.py changed"
    install(package(elsewhere), packages, "1.1")
    mended = docs.build_apart()
    assert (why(mended), mended.warnings) == ("djstale-sample 1.0 -> 1.1", [])


def test_a_package_that_is_not_used_makes_nothing_stale(docs: Docs, packages: Path) -> None:
    write(docs, "TOLD = 'one'\n")
    once_apart(docs)
    install(package(docs.folder / "elsewhere"), packages)
    assert docs.build_apart().ran == []


def test_a_module_earlier_on_the_path_is_noticed(docs: Docs, packages: Path) -> None:
    install(package(docs.folder / "elsewhere"), packages)
    write(docs, USING)
    once_apart(docs)
    shadow = docs.folder / "site" / "djstale_sample.py"
    shadow.write_text("TOLD = 'two'\n")
    assert why(refuted_apart(docs)) == "new file djstale_sample.py"
    shadow.unlink()
    assert "djstale_sample.py is gone" in why(docs.build_apart())


def test_a_folder_that_comes_first_in_pythonpath_is_noticed(
    docs: Docs, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(package(docs.folder / "elsewhere"), packages)
    write(docs, USING)
    once_apart(docs)
    monkeypatch.setenv("PYTHONPATH", str(package(docs.folder / "first", "two")))
    assert "djstale_sample" in why(refuted_apart(docs))


OPTIONAL = """
    try:
        from local_values import TOLD
    except ImportError:
        TOLD = "one"
"""


def test_a_module_that_was_looked_for_in_vain_is_noticed_when_it_comes(docs: Docs) -> None:
    write(docs, OPTIONAL)
    once(docs)
    docs.folder.joinpath("site", "local_values.py").write_text("TOLD = 'two'\n")
    assert why(refuted(docs)) == "new file local_values.py"


DOTENV = """
    from pathlib import Path
    ENV = Path(__file__).with_name(".env")
    TOLD = ENV.read_text().strip() if {test} else "one"
"""


@pytest.mark.parametrize("test", ["ENV.exists()", "os.path.isfile(ENV)", "os.access(ENV, os.R_OK)"])
def test_a_dotenv_that_appears_changes_or_goes_is_noticed(docs: Docs, test: str) -> None:
    write(docs, DOTENV.format(test=test))
    once(docs)
    dotenv = docs.folder / "site" / ".env"
    dotenv.write_text("two")
    assert why(refuted(docs)) == "new file .env"
    dotenv.write_text("one")
    assert why(docs.build()) == ".env changed"
    dotenv.unlink()
    assert why(docs.build()) == ".env is gone"


TRYING = """
    try:
        with open(os.path.join(os.path.dirname(__file__), ".env")) as file:
            TOLD = file.read()
    except FileNotFoundError:
        TOLD = "one"
"""


def test_a_file_that_could_not_be_opened_is_noticed_when_it_comes(docs: Docs) -> None:
    write(docs, TRYING)
    once(docs)
    docs.folder.joinpath("site", ".env").write_text("two")
    assert why(refuted(docs)) == "new file .env"


@pytest.mark.parametrize(
    "read",
    [
        'os.environ.get("DATABASE_URL", "one")',
        'os.getenv("DATABASE_URL", "one")',
        'os.environ["DATABASE_URL"] if "DATABASE_URL" in os.environ else "one"',
        'dict(os.environ).get("DATABASE_URL", "one")',
        'next((v for k, v in os.environ.items() if k == "DATABASE_URL"), "one")',
    ],
)
def test_a_variable_that_was_read_is_noticed(docs: Docs, monkeypatch: pytest.MonkeyPatch, read: str) -> None:
    write(docs, f"TOLD = {read}\n")
    once(docs)
    monkeypatch.setenv("UNRELATED_" if "dict" not in read and "items" not in read else "CI", "1")
    assert docs.build().ran == []
    monkeypatch.setenv("DATABASE_URL", "two")
    assert why(refuted(docs)) == "DATABASE_URL was set"
    monkeypatch.setenv("DATABASE_URL", "one")
    assert why(docs.build()) == "DATABASE_URL changed"
    monkeypatch.delenv("DATABASE_URL")
    assert why(docs.build()) == "DATABASE_URL was unset"


def test_no_recording_tells_the_value_of_a_variable(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_SECRET", "3b1c-very-secret")
    write(docs, "TOLD = 'one' if os.environ['SIGNING_SECRET'] else 'two'\n")
    once(docs)
    text = docs.recordings[0].read_text("utf-8")
    assert "SIGNING_SECRET" in text
    assert "very-secret" not in text


TEMPLATES = """
    INSTALLED_APPS = ["app"]
    TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "first"],
            "APP_DIRS": True,
        }
    ]
"""

RENDERING = """
    from django.template.loader import render_to_string

    def told(request):
        return JsonResponse({"told": render_to_string("told.txt").strip()})
"""


def test_a_template_that_changes_or_is_found_earlier_is_noticed(docs: Docs) -> None:
    app = docs.folder / "site" / "app"
    app.joinpath("templates").mkdir(parents=True)
    app.joinpath("__init__.py").touch()
    app.joinpath("templates", "told.txt").write_text("one\n")
    app.joinpath("templates", "unused.txt").write_text("one\n")
    docs.configure(djconn_project=docs.project(views=RENDERING, settings=TEMPLATES))
    docs.page("index", PAGE.format(path="told", told="one"))
    once(docs)
    app.joinpath("templates", "unused.txt").write_text("two\n")
    assert docs.build().ran == []
    app.joinpath("templates", "told.txt").write_text("two\n")
    assert why(refuted(docs)) == "app/templates/told.txt changed"
    first = docs.folder / "site" / "first"
    first.mkdir()
    first.joinpath("told.txt").write_text("one\n")
    built = docs.build()
    assert built.warnings == []
    assert "new file first/told.txt" in why(built)


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
    app = docs.folder / "site" / "app"
    app.joinpath("migrations").mkdir(parents=True)
    for name in ("__init__.py", "migrations/__init__.py"):
        app.joinpath(name).touch()
    app.joinpath("models.py").write_text(
        "from django.db import models\n\nclass Told(models.Model):\n    pass\n"
    )
    app.joinpath("migrations", "0001_initial.py").write_text(MIGRATION)
    docs.configure(djconn_project=docs.project(views=COUNTING, settings='INSTALLED_APPS = ["app"]\n'))
    docs.page("index", PAGE.format(path="told", told="one"))
    once(docs)
    app.joinpath("migrations", "0002_fill.py").write_text(FILLING)
    assert why(refuted(docs)) == "new file app/migrations/0002_fill.py"


def test_what_no_run_uses_makes_nothing_stale(docs: Docs) -> None:
    write(docs, "TOLD = 'one'\n")
    once(docs)
    site = docs.folder / "site"
    for name in (
        *("build/lib/views.py", "site.egg-info/PKG-INFO", "coverage.xml", "more.py", "notes/README.md"),
        *("__pycache__/views.cpython-313.pyc", "templates/unused.html", ".coverage", "locale/de/x.mo"),
    ):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("print()")
    assert docs.build().ran == []


INDEXING = """
    from pathlib import Path

    TOLD = "one"
    INDEX = Path(os.environ.get("SEARCH_INDEX") or Path(__file__).parent / "search" / "index.json")
    COUNT = len(INDEX.read_text().split()) if INDEX.exists() else 0
    INDEX.parent.mkdir(exist_ok=True)
    INDEX.write_text("entry " * (COUNT + 1))
"""


def test_what_the_project_writes_is_said_and_makes_nothing_stale(docs: Docs) -> None:
    write(docs, INDEXING)
    first = docs.build()
    told = "while it runs, the project writes into its own folder: search, search/index.json."
    assert first.status.count(told) == 1
    assert "`env` of djconn_project" in first.status
    assert docs.folder.joinpath("site", "search", "index.json").exists()
    assert docs.build().ran == []
    docs.folder.joinpath("site", "search", "index.json").write_text("other")
    assert docs.build().ran == []


def test_the_variables_of_a_project_send_what_it_writes_elsewhere(docs: Docs) -> None:
    write(docs, INDEXING, env={"SEARCH_INDEX": "{folder}/index/index.json"})
    built = docs.build()
    assert built.warnings == []
    assert "writes into its own folder" not in built.status
    assert not docs.folder.joinpath("site", "search").exists()
    assert docs.build().ran == []


def test_the_variables_of_a_project_are_those_of_its_processes(docs: Docs) -> None:
    write(docs, "TOLD = os.environ['WHAT']\n", env={"WHAT": "one"})
    once(docs)
    write(docs, "TOLD = os.environ['WHAT']\n", env={"WHAT": "two"})
    assert why(refuted(docs)) == "what conf.py says of the project changed"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("A=1", "must be a dictionary of texts"),
        ({"A": 1}, "must be a dictionary of texts"),
        ({"A": "{port}"}, "`{port}` means nothing"),
        ({"PYTHONPATH": "/"}, "`PYTHONPATH` cannot be set there"),
        ({"DJCONN_SOCKET": "/"}, "`DJCONN_SOCKET` cannot be set there"),
    ],
)
def test_variables_of_no_use_are_said(docs: Docs, env: object, told: str) -> None:
    write(docs, "TOLD = 'one'\n", env=env)
    warnings = docs.build().warnings
    assert "djconn.config" in [each.kind for each in warnings]
    assert any(told in each.text for each in warnings)


def test_data_that_is_read_while_serving_is_noticed(docs: Docs) -> None:
    reading = "def told(request):\n    return JsonResponse({'told': open('data.txt').read()})\n"
    docs.configure(djconn_project=docs.project(views=reading))
    docs.page("index", PAGE.format(path="told", told="one"))
    data = docs.folder / "site" / "data.txt"
    data.write_text("one")
    once(docs)
    data.write_text("two")
    assert why(refuted(docs)) == "data.txt changed"


def test_a_file_that_changes_while_it_is_used_is_looked_at_again(docs: Docs) -> None:
    changing = "def told(request):\n    return JsonResponse({'told': open('data.txt').read()})\n"
    docs.configure(djconn_project=docs.project(views=changing))
    docs.page("index", PAGE.format(path="told", told="one"))
    data = docs.folder / "site" / "data.txt"
    data.write_text("one")
    with docs.source.joinpath("conf.py").open("a") as conf:
        # When pages are read, the build has begun, and no server has.
        conf.write("def setup(app):\n    app.connect('doctree-read', change)\n")
        conf.write(f"def change(*_):\n    open({str(data)!r}, 'w').write('one')\n")
    assert docs.build().warnings == []
    assert why(docs.build()) == "data.txt changed while it was recorded"
    assert docs.build().ran == []


def test_the_same_on_another_machine_is_not_stale(docs: Docs) -> None:
    """A checkout in another folder, with its recordings, on a machine that has built nothing."""
    write(docs, "TOLD = 'one'\n")
    with docs.source.joinpath("conf.py").open("a") as conf:
        conf.write("djconn_recordings = 'recordings'\n")
    assert why(docs.build()) == "no recording"
    moved = docs.folder / "moved"
    for name in ("pages", "site"):
        shutil.copytree(docs.folder / name, moved / name)
    command = ["-b", "html", "-d", str(moved / "doctrees"), str(moved / "pages"), str(moved / "html")]
    assert docs.run(command).ran == []
    moved.joinpath("site", "views.py").write_text("def index(request): pass\n")
    assert why(docs.run(command)) == "views.py changed"


@pytest.mark.parametrize("server", ["gunicorn-sync", "uwsgi", "runserver-reload", "uvicorn"])
def test_what_every_server_s_workers_use_is_recorded(docs: Docs, server: str) -> None:
    reading = "def told(request):\n    return JsonResponse({'told': open('data.txt').read()})\n"
    docs.configure(djconn_project=docs.project(views=reading))
    docs.page(
        "index",
        PAGE.format(path="told", told="one").replace(":: kept\n", f":: kept\n       :server: {server}\n"),
    )
    data = docs.folder / "site" / "data.txt"
    data.write_text("one")
    once(docs)
    data.write_text("two")
    assert why(refuted(docs)) == "data.txt changed"


def test_the_same_is_recorded_of_a_server_that_is_started_from_the_command_line(docs: Docs) -> None:
    write(docs, OPTIONAL + "WHAT = os.environ.get('WHAT')\n")
    once(docs)
    docs.configure(djconn_project={"path": "../site", "settings": "site_settings"}, djconn_warm=False)
    assert docs.build().ran == []
    docs.folder.joinpath("site", "local_values.py").write_text("TOLD = 'two'\n")
    assert why(refuted(docs)) == "new file local_values.py"


OLD = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("recorder", sys.argv[1])
module = importlib.util.module_from_spec(spec)
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
    python = shutil.which(f"python{version}")
    if python is None:
        found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        if not found:
            pytest.skip(f"there is no Python {version}")
        python = str(found[0])
    recorder = Path(__file__).parents[2] / "sphinx_djconn" / "probe" / "inputs.py"
    subprocess.run([python, "-c", OLD, recorder, tmp_path / "inputs"], check=True, timeout=60)
    records = set(tmp_path.joinpath("inputs").read_text("utf-8").split("\0"))
    assert {"s/nowhere/.env", "eSOME_VARIABLE", "E", "mnot_there_at_all"} <= records
    audited = tuple(map(int, version.split("."))) >= (3, 8)
    assert ("t" in records) is not audited
    assert ({"r/nowhere/data", "l/"} <= records) is audited


def test_recording_costs_little_and_changes_nothing(tmp_path: Path) -> None:
    code = """
import os, shutil, timeit
assert os.stat in os.supports_follow_symlinks and os.stat in os.supports_dir_fd
assert os.stat(path=".").st_mode and os.stat(0).st_mode and os.path.exists(b".")
assert shutil.rmtree.avoids_symlink_attacks
number = 20000
def opening(): open(__file__).close()
print(timeit.timeit(opening, number=number) / number)
print(timeit.timeit(lambda: os.stat("/"), number=number) / number)
print(timeit.timeit(lambda: os.environ.get("HOME"), number=number) / number)
"""
    script = tmp_path / "script.py"
    install = OLD.partition("os.path")[0]
    taken = []
    for head in ("", install):
        script.write_text(head + code)
        recorder = Path(__file__).parents[2] / "sphinx_djconn" / "probe" / "inputs.py"
        command = [sys.executable, script, recorder, tmp_path / "inputs"]
        rounds = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(3)]
        taken.append([min(map(float, times)) for times in zip(*(each.split() for each in rounds), strict=True)])
    more = [recorded - plain for plain, recorded in zip(*taken, strict=True)]
    assert max(more) < 5e-6, more


def test_the_log_groups_the_cells_of_a_matrix(docs: Docs) -> None:
    write(docs, "TOLD = 'one'\n")
    docs.page(
        "index",
        """
        Matrix
        ======

        .. djconn:matrix:: ages
           :conn-max-age: none, 0

           browser: GET /told
        """,
    )
    status = docs.build().status
    assert "djconn: running `ages` (2 of its cells): no recording" in status


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("TOLD = 1\n")])
def test_replay_says_which_file_has_changed(docs: Docs, change: Callable[[Path], None]) -> None:
    write(docs, "from local_values import TOLD\n")
    values = docs.folder / "site" / "local_values.py"
    values.write_text("TOLD = 'one'\n")
    with docs.source.joinpath("conf.py").open("a") as conf:
        conf.write("djconn_recordings = 'recordings'\n")
    docs.build()
    change(values)
    built = docs.build("html", "-D", "djconn_mode=replay")
    text = built.warning("index.rst", kind="djconn.stale").text
    assert re.search(r"made from something else: local_values.py (changed|is gone)", text)
