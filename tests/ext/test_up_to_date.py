"""A build in which nothing has changed compares sizes and times of files only; otherwise it runs the check."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sphinx_djconn
from sphinx_djconn.ext import up_to_date
from tests.ext.kept_pages import ONE, SHOWING
from tests.support.building import Docs

TELL_WHETHER_CHECKED = """
import pathlib

def setup(app):
    app.connect("build-finished", tell, priority=900)

def tell(app, _):
    found = app.env.get_domain("djconn").checked
    pathlib.Path(app.doctreedir, "checked").write_text("" if found is None else "checked")
"""

SETTLED, SOON_SETTLED = 2.1, 0.1
"""Seconds after which a file counts as settled: in reality, and in most tests."""


def configure(docs: Docs, more: str = TELL_WHETHER_CHECKED, **values: object) -> None:
    docs.configure(djconn_project={"path": "../site", "settings": "site_settings"}, **values)
    with docs.source.joinpath("conf.py").open("a", encoding="utf-8") as conf:
        conf.write(more)


def checked(docs: Docs) -> bool:
    """Return whether the last build has run the check."""
    return docs.doctrees.joinpath("checked").read_text() == "checked"


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Docs:
    shared_docs.project()
    configure(shared_docs)
    shared_docs.page("one", ONE)
    shared_docs.page("showing", SHOWING)
    assert shared_docs.build().warnings == []
    shared_docs.snapshot()
    return shared_docs


@pytest.fixture
def soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files count as settled after some milliseconds, for builds in this process."""
    monkeypatch.setattr(up_to_date, "_SETTLED", 50_000_000)


@pytest.fixture
def stamped(built: Docs, soon_settled: None) -> Docs:
    """Pages that were built, and checked again after their files had settled, so that there is a stamp."""
    built.restore()
    time.sleep(SOON_SETTLED)
    built.build()
    assert checked(built)
    built.build()
    assert not checked(built)
    return built


def date_back(path: Path, text: str) -> None:
    before = path.stat()
    assert len(text.encode()) == before.st_size
    path.write_text(text, "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_the_recording(docs: Docs) -> None:
    os.truncate(docs.recordings[0], docs.recordings[0].stat().st_size // 2)


def edit_the_recording(docs: Docs) -> None:
    path = docs.recordings[0]
    date_back(path, path.read_text("utf-8").replace('"t":', '"u":', 1))


def edit_the_project(docs: Docs) -> None:
    path = docs.folder / "site" / "views.py"
    date_back(path, path.read_text("utf-8").replace('HttpResponse("ok")', 'HttpResponse("OK")'))


def choose_another_project(docs: Docs) -> None:
    docs.project("other")
    configure(docs)
    conf = docs.source / "conf.py"
    conf.write_text(
        conf.read_text("utf-8").replace("../site", "../other").replace("site_s", "other_s"), "utf-8"
    )


def run_all(docs: Docs) -> None:
    configure(docs, djconn_mode="run")


def change_the_page(docs: Docs) -> None:
    docs.page("one", ONE.replace("GET / as second", "GET /?second as second"))


@pytest.mark.parametrize(
    "change",
    [
        lambda docs: docs.recordings[0].unlink(),
        cut_the_recording,
        edit_the_recording,
        edit_the_project,
        choose_another_project,
        run_all,
        change_the_page,
    ],
    ids=lambda change: change.__name__.replace("<lambda>", "delete_the_recording"),
)
def test_whatever_makes_a_recording_invalid_invalidates_the_stamp(
    stamped: Docs, change: Callable[[Docs], None]
) -> None:
    change(stamped)
    built = stamped.build()
    assert built.warnings == []
    assert built.ran == ["kept"]


def test_a_file_that_no_run_uses_runs_the_check_only(stamped: Docs) -> None:
    stamped.folder.joinpath("site", "more.py").write_text("MORE = True\n")
    assert stamped.build().ran == []
    assert checked(stamped)


def test_a_variable_that_was_read_invalidates_the_stamp(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    docs.project(settings="import os\nMODE = os.environ.get('SITE_MODE')\n")
    configure(docs)
    docs.page("one", ONE)
    docs.build()
    time.sleep(SETTLED)
    docs.build()
    monkeypatch.setenv("OTHER_MODE", "1")
    docs.build()
    assert not checked(docs)
    monkeypatch.setenv("SITE_MODE", "1")
    assert docs.build().ran == ["kept"]


def test_another_distribution_invalidates_the_stamp(
    stamped: Docs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    time.sleep(SOON_SETTLED)
    stamped.build()
    stamped.build()
    assert not checked(stamped)
    (folder / "another-1.0.dist-info").mkdir()
    stamped.build()
    assert checked(stamped)


@pytest.mark.exhaustive
def test_a_change_of_our_own_code_invalidates_the_stamp(
    docs: Docs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docs.project()
    configure(docs)
    docs.page("one", ONE)
    code = tmp_path / "code" / "sphinx_djconn"
    shutil.copytree(Path(sphinx_djconn.__file__).parent, code)
    monkeypatch.setenv("PYTHONPATH", str(code.parent))
    monkeypatch.chdir(docs.folder)  # which comes first
    assert docs.build_apart().ran == ["kept"]
    time.sleep(SETTLED)
    docs.build_apart()
    docs.build_apart()
    assert not checked(docs)
    with code.joinpath("probe", "recorder.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert docs.build_apart().ran == ["kept"]


def test_a_touched_recording_runs_the_check_only(stamped: Docs) -> None:
    os.utime(stamped.recordings[0], ns=(1, 1))
    assert stamped.build().ran == []
    assert checked(stamped)


def test_what_another_builder_has_read_is_checked_by_this_one(stamped: Docs) -> None:
    stamped.page("one", ONE.replace("first.thread ==", "first.thread !="))
    stamped.build("text")
    stamped.build().warning("one.rst", kind="djconn.claim")
    assert checked(stamped)


@pytest.mark.parametrize("arguments", [(), ("-j", "2")], ids=["in turn", "in parallel"])
def test_a_page_that_has_to_be_written_is_given_its_evidence(stamped: Docs, arguments: tuple[str, ...]) -> None:
    pages = {name: stamped.folder.joinpath("html", name).read_bytes() for name in ("one.html", "showing.html")}
    for name in pages:
        stamped.folder.joinpath("html", name).unlink()
    built = stamped.build("html", *arguments)
    assert (built.ran, built.warnings) == ([], [])
    assert {name: stamped.folder.joinpath("html", name).read_bytes() for name in pages} == pages


def test_the_djconn_builder_always_runs_the_check(stamped: Docs) -> None:
    for _ in range(2):
        built = stamped.build("djconn")
        assert built.code == 0
        assert "1 claims, 1 as declared" in built.read("output.txt")


@pytest.mark.exhaustive
def test_what_depends_on_another_environment_leaves_no_stamp(docs: Docs, soon_settled: None) -> None:
    docs.project()
    configure(docs, djconn_environments={"other": {"python": sys.executable}})
    docs.page("one", ONE.replace(":: kept\n", ":: kept\n       :environment: other\n"))
    assert docs.build().ran == ["kept"]
    time.sleep(SOON_SETTLED)
    for _ in range(2):
        assert docs.build().ran == []
        assert checked(docs)


def test_what_was_warned_of_once_is_warned_of_in_every_build(docs: Docs, soon_settled: None) -> None:
    docs.project()
    configure(docs)
    docs.page("one", ONE.replace("first.thread ==", "first.thread !="))
    docs.build()
    time.sleep(SOON_SETTLED)
    for _ in range(2):
        docs.build().warning("one.rst", kind="djconn.claim")


def test_a_file_that_was_changed_just_now_leaves_no_stamp(stamped: Docs) -> None:
    soon = time.time() + 60  # and however slow this machine is, it is just now for some builds
    os.utime(stamped.recordings[0], (soon, soon))
    for _ in range(2):
        assert stamped.build().ran == []
        assert checked(stamped)
