"""The wheel: what is in it, and that it is all that a first page needs."""

import shutil
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.choosing import a_few
from tests.support.commands import call
from tests.support.snippets import ROOT

pytestmark = pytest.mark.packaging

SOURCES = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore", "sphinx_djconn", "demo_site")

FIRST_PAGE = """\
First page
==========

.. djconn:scenario:: first

   browser: GET /polls/ -> 200
"""


def build(target: str, source: Path) -> Path:
    """Return the wheel or sdist that is built in ``source``."""
    call(sys.executable, "-m", "hatchling", "build", "-t", target, folder=source)
    (built,) = source.joinpath("dist").glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which the demo site has been run."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, checkout / name)
    site = checkout / "demo_site"
    site.joinpath("db.sqlite3").write_bytes(b"the reader's own")
    site.joinpath("polls/__pycache__").mkdir(exist_ok=True)
    site.joinpath("polls/__pycache__/views.cpython-311.pyc").write_bytes(b"")
    return checkout


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build("sdist", checkout)) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


@pytest.fixture(scope="module", params=a_few(["checkout", "sdist"], "sdist"))
def wheel(request: pytest.FixtureRequest) -> Path:
    """The wheel, built from the checkout and from the sdist."""
    return build("wheel", request.getfixturevalue(request.param))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_the_package_and_what_its_files_look_for(wheel: Path) -> None:
    package = ROOT / "sphinx_djconn"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {f"sphinx_djconn/{path.relative_to(package).as_posix()}" for path in files} <= names(wheel)


def test_the_wheel_has_the_demo_site_whole(wheel: Path) -> None:
    tracked = {
        "manage.py",
        "mysite/settings.py",
        "polls/fixtures/polls.json",
        "polls/migrations/0001_initial.py",
        "polls/templates/polls/index.html",
    }
    assert {f"sphinx_djconn/_demo_site/{name}" for name in tracked} <= names(wheel)


def test_the_wheel_has_nothing_that_running_the_demo_site_has_left(wheel: Path) -> None:
    left = [name for name in names(wheel) if "__pycache__" in name or name.endswith((".sqlite3", ".pyc"))]
    assert left == []


def test_the_wheel_has_nothing_beside_the_package(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sphinx_djconn"}


def test_the_wheel_is_all_that_a_first_page_needs(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv/bin/python"
    # The new environment finds Sphinx and Django where this one has them, but not our checkout: what is
    # installed for development stands in a .pth file there, and those are not read for a folder of a .pth.
    (site,) = tmp_path.glob("venv/lib/python*/site-packages")
    site.joinpath("dependencies.pth").write_text(sysconfig.get_path("purelib"))
    arguments = ("install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel)
    call(sys.executable, "-m", "pip", "--python", python, *arguments, folder=tmp_path)
    docs = tmp_path / "docs"
    docs.mkdir()
    docs.joinpath("conf.py").write_text('extensions = ["sphinx_djconn"]\n')
    docs.joinpath("index.rst").write_text(FIRST_PAGE)
    call(python, "-m", "sphinx", "-W", "-b", "html", "docs", "out", folder=tmp_path)
    where = call(python, "-c", "import sphinx_djconn; print(sphinx_djconn.__file__)", folder=tmp_path)
    assert where.startswith(str(site))
    page = tmp_path.joinpath("out/index.html").read_text(encoding="utf-8")
    assert "djconn-requests" in page
    assert "C1 opened" in page
    assert tmp_path.joinpath("out/_static/djconn.css").is_file()
