"""What a build runs, reads and writes again, and what it does not."""

import json
import re
from pathlib import Path

import pytest

from sphinx_djconn import store
from tests.ext.kept_pages import ONE, SHOWING
from tests.support.building import Built, Docs
from tests.support.choosing import a_few

TWO = """
    Two
    ===

    .. djconn:scenario:: apart

       2 x new client: GET /

    .. djconn:claim:: two-threads
       :in: apart
       :expect: threads == 2

       Two threads.
"""

PLAIN = """
    Plain
    =====

    Nothing is shown here.
"""

MATRIX = """
    Matrix
    ======

    .. djconn:matrix:: ages
       :conn-max-age: none, 0

       a title
          browser: GET /

    .. djconn:claim:: of-one-age
       :in: ages
       :where: conn_max_age == 0
       :expect: threads == 1

       One thread.
"""

ALL = """
    All
    ===

    .. djconn:claims::
       :all:
"""


@pytest.fixture(scope="module")
def built_pages(shared_docs: Docs) -> Docs:
    """Pages of every kind, built once."""
    shared_docs.configure(djconn_project=shared_docs.project())
    for name, text in (("one", ONE), ("two", TWO), ("showing", SHOWING), ("plain", PLAIN), ("all", ALL)):
        shared_docs.page(name, text)
    built = shared_docs.build()
    assert built.warnings == []
    assert built.ran == ["apart", "kept"]
    shared_docs.snapshot()
    return shared_docs


@pytest.fixture
def pages(built_pages: Docs) -> Docs:
    """The pages as they were after they were built."""
    built_pages.restore()
    return built_pages


def build(docs: Docs, builder: str = "html", *arguments: str) -> tuple[Built, list[str]]:
    """Build, and return the build and the names of the pages that were written."""
    before = times(docs, builder)
    built = docs.build(builder, *arguments)
    after = times(docs, builder)
    return built, sorted(path.stem for path, time in after.items() if before.get(path) != time)


def times(docs: Docs, builder: str) -> dict[Path, int]:
    # Sphinx writes a page with a table of contents anew with each page in it.
    names = {path.stem for path in docs.source.glob("*.rst")} - {"index"}
    pages = (path for path in docs.folder.joinpath(builder).glob("*.*") if path.stem in names)
    return {path: path.stat().st_mtime_ns for path in pages}


def test_a_build_with_no_change_runs_nothing_and_writes_nothing(pages: Docs) -> None:
    recordings = {path: path.stat().st_mtime_ns for path in pages.recordings}
    built, written = build(pages)
    assert built.ran == []
    assert written == []
    assert {path: path.stat().st_mtime_ns for path in pages.recordings} == recordings
    assert "configuration has changed" not in built.status


def test_a_changed_claim_is_judged_anew_and_nothing_runs(pages: Docs) -> None:
    pages.page("one", ONE.replace("first.thread ==", "first.thread !="))
    built, written = build(pages)
    assert built.ran == []
    assert "refuted" in built.warning("one.rst", pages.line(":: one-thread", "one"), kind="djconn.claim").text
    assert written == ["all", "one", "showing"]
    assert "djconn-refuted" in built.read("showing.html")


def test_a_changed_sentence_is_written_where_it_is_listed(pages: Docs) -> None:
    pages.page("one", ONE.replace("One thread.", "One thread only."))
    built, written = build(pages)
    assert built.ran == []
    assert "One thread only." in built.read("all.html")
    assert "two" not in written
    assert "plain" not in written


def test_a_changed_sequence_runs_anew_and_the_pages_that_show_it_are_written(pages: Docs) -> None:
    pages.page("two", TWO.replace("2 x", "3 x").replace("== 2", "== 3"))
    built, written = build(pages)
    assert built.ran == ["apart"]
    assert built.warnings == []
    assert written == ["all", "two"]


def test_a_sequence_that_moved_within_its_page_is_not_run_anew(pages: Docs) -> None:
    pages.page("two", TWO.replace(".. djconn:scenario", "More text.\n\n    .. djconn:scenario", 1))
    built, written = build(pages)
    assert built.ran == []
    assert written == ["two"]


@pytest.mark.exhaustive
def test_the_line_of_a_claim_that_moved_is_its_new_one(pages: Docs) -> None:
    moved = ONE.replace("first.thread ==", "first.thread !=").replace(
        ".. djconn:scenario", "More\n    text.\n\n    .. djconn:scenario", 1
    )
    pages.page("one", ONE.replace("first.thread ==", "first.thread !="))
    pages.build()
    pages.page("one", moved)
    pages.build().warning("one.rst", pages.line(":: one-thread", "one"), kind="djconn.claim")


def test_a_changed_file_of_the_project_runs_anew_what_uses_the_project(pages: Docs) -> None:
    other = pages.project("other")
    pages.configure(djconn_project=pages.project(), djconn_projects={"other": other})
    pages.page("two", TWO.replace(":: apart\n", ":: apart\n       :project: other\n"))
    pages.build()
    pages.project("other", views="# changed\n")
    built, written = build(pages)
    assert built.ran == ["apart"]
    assert written == ["two"]


@pytest.mark.parametrize(
    "name", ["db.sqlite3", ".git/HEAD", "app/__pycache__/app.cpython-311.pyc", "debug.log"]
)
def test_a_file_that_no_run_depends_on_runs_nothing(pages: Docs, name: str) -> None:
    path = pages.folder / "site" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed")
    built, written = build(pages)
    assert (built.ran, written) == ([], [])


@pytest.mark.exhaustive
def test_docs_within_the_project_are_no_part_of_it(docs: Docs) -> None:
    project = docs.project("pages/..")
    docs.configure(djconn_project={**project, "path": ".."})
    docs.page("one", ONE)
    assert docs.build().ran == ["kept"]
    docs.page("one", ONE + "\n    More text.\n")
    built, written = build(docs)
    assert built.ran == []
    assert "one" in written
    assert docs.build("djconn").ran == []


@pytest.mark.exhaustive
def test_another_server_of_the_same_name_runs_anew(pages: Docs) -> None:
    runserver = ["{python}", "-m", "django", "runserver", "127.0.0.1:0", "--noreload"]
    pages.configure(djconn_project=pages.project(), djconn_servers={"mine": {"command": runserver}})
    pages.page("two", TWO.replace(":: apart\n", ":: apart\n       :server: mine\n"))
    assert pages.build().ran == ["apart"]
    changed = {"mine": {"command": runserver, "env": {"MODE": "other"}}}
    pages.configure(djconn_project=pages.project(), djconn_servers=changed)
    assert build(pages)[0].ran == ["apart"]


def test_a_scenario_with_the_same_values_on_two_pages_runs_once(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("one", ONE)
    docs.page("same", ONE.replace("kept", "same").replace("one-thread", "same-thread"))
    built = docs.build()
    assert len(built.ran) == 1
    assert len(docs.recordings) == 1
    assert "has no evidence" not in built.read("one.html") + built.read("same.html")
    assert built.warnings == []


def test_a_page_that_is_removed_takes_its_scenarios_and_claims_with_it(pages: Docs) -> None:
    (pages.source / "two.rst").unlink()
    built, written = build(pages)
    assert built.ran == []
    assert written == ["all"]
    assert "Two threads." not in built.read("all.html")
    assert len(pages.recordings) == 1
    assert "djconn:scenario" not in pages.build("djconn").errors


@pytest.mark.exhaustive
def test_of_two_with_one_name_the_second_counts_once_the_first_is_removed(pages: Docs) -> None:
    pages.page("zzz", ONE.replace("browser: GET / as second", "new client: GET / as second"))
    built = pages.build()
    assert "djconn.config" in [warning.kind for warning in built.warnings]
    (pages.source / "one.rst").unlink()
    built, written = build(pages)
    assert built.ran == ["kept"]
    assert built.warning("zzz.rst", pages.line(":: one-thread", "zzz")).kind == "djconn.claim"
    assert {"zzz", "showing", "all"} <= set(written)
    assert "djconn-refuted" in built.read("zzz.html")


DAMAGES = [
    (lambda text: text[:-100], "is cut short, or was changed"),
    (lambda text: text[:20], "is no recording of this version"),
    (lambda _: "", "is no recording of this version"),
    (lambda text: re.sub(r'"format":\d+', '"format":0', text, count=1), "has format 0, not "),
    (lambda text: text.replace('"t":', '"u":', 1), "is cut short, or was changed"),
    (lambda _: "[1, 2]\n", "is no recording of this version"),
    (lambda _: "\udcff\udcfe", "is no recording of this version"),
]


@pytest.mark.parametrize(("damage", "told"), a_few(DAMAGES, DAMAGES[0], DAMAGES[3], DAMAGES[6]))
def test_a_recording_that_cannot_be_read_is_run_again_and_said(pages: Docs, damage: object, told: str) -> None:
    for path in pages.recordings:
        text = path.read_text("utf-8")
        path.write_bytes(damage(text).encode("utf-8", "surrogateescape"))  # type: ignore[operator]
    built, _ = build(pages)
    assert built.ran == ["apart", "kept"]
    assert f"{pages.recordings[0].name} {told}" in built.status
    assert built.warnings == []
    assert build(pages)[0].ran == []


def test_a_recording_that_is_missing_is_made_again(pages: Docs) -> None:
    pages.recordings[0].unlink()
    assert len(build(pages)[0].ran) == 1


def test_a_recording_of_another_instrument_is_run_again(pages: Docs) -> None:
    for path in pages.recordings:
        head, _, runs = path.read_text("utf-8").partition("\n")
        parts = json.loads(head)
        parts["parts"]["instrument"] = "older"
        del parts["seal"]
        parts["seal"] = store._header_digest(parts)
        path.write_text(json.dumps(parts) + "\n" + runs, "utf-8")
    built, _ = build(pages)
    assert built.ran == ["apart", "kept"]


@pytest.mark.exhaustive
def test_the_mode_run_runs_all(pages: Docs) -> None:
    pages.configure(djconn_project=pages.project(), djconn_mode="run")
    assert build(pages)[0].ran == ["apart", "kept"]
    assert build(pages)[0].ran == ["apart", "kept"]


def test_a_value_of_ours_in_conf_py_reads_no_page_again(pages: Docs) -> None:
    pages.configure(djconn_project=pages.project(), djconn_timeout=20, djconn_jobs=1)
    built, written = build(pages)
    assert (built.ran, written) == ([], [])
    assert "0 added, 0 changed, 0 removed" in built.status


@pytest.mark.exhaustive
def test_what_one_builder_has_found_out_is_written_by_the_other_too(pages: Docs) -> None:
    pages.build("text")
    pages.project(views="def index(request):\n    return JsonResponse({'n': 1})\n")
    checked = pages.build("djconn")
    assert checked.ran == ["apart", "kept"]
    for builder in ("html", "text"):
        built, written = build(pages, builder)
        assert built.ran == []
        assert written == ["one", "showing", "two"]
        assert build(pages, builder)[1] == []


@pytest.mark.exhaustive
def test_pages_that_an_interrupted_build_has_not_written_are_written_by_the_next(
    pages: Docs,
) -> None:
    pages.project(views="# changed\n")
    conf = pages.source / "conf.py"
    text = conf.read_text("utf-8")
    # Ends the build when it begins to write: the environment is saved by then.
    stop = (
        "def setup(app):\n    app.connect('doctree-resolved', stop)\ndef stop(*args):\n    raise SystemExit\n"
    )
    conf.write_text(text + stop, "utf-8")
    pages.build_apart()
    conf.write_text(text, "utf-8")
    built, written = build(pages)
    assert built.ran == []
    assert {"one", "two", "showing"} <= set(written)


@pytest.mark.exhaustive
def test_a_page_that_is_named_on_the_command_line_leaves_the_others_to_the_next_build(pages: Docs) -> None:
    pages.project(views="# changed\n")
    command = [*pages.command(), str(pages.source / "one.rst")]
    before = times(pages, "html")
    pages.run(command)
    assert [path.stem for path, when in times(pages, "html").items() if before[path] != when] == ["one"]
    built, written = build(pages)
    assert built.ran == []
    assert written == ["showing", "two"]


def test_nothing_of_the_lab_stands_between_the_recordings(pages: Docs) -> None:
    assert {path.suffix for path in pages.recordings} == {".json"}


@pytest.mark.exhaustive
def test_a_failed_scenario_is_told_in_every_build_until_it_is_mended(pages: Docs) -> None:
    pages.page("two", TWO.replace("GET /", "GET / -> 500"))
    for _ in range(2):
        built = pages.build()
        assert built.ran == ["apart"]
        built.warning("two.rst", pages.line("-> 500", "two"), kind="djconn.run")
    pages.page("two", TWO)
    built, written = build(pages)
    assert built.warnings == []
    assert "two" in written


@pytest.mark.exhaustive
def test_a_failed_scenario_that_fails_the_same_way_writes_no_page_again(pages: Docs) -> None:
    pages.page("two", TWO.replace("GET /", "GET / -> 500"))
    pages.build()
    built, written = build(pages)
    assert built.ran == ["apart"]
    assert written == []


@pytest.mark.exhaustive
def test_a_recording_of_a_scenario_that_failed_elsewhere_is_not_removed(pages: Docs) -> None:
    kept = set(pages.recordings)
    pages.page("two", TWO.replace("GET /", "GETT /"))
    pages.build()
    assert set(pages.recordings) == kept
    pages.page("two", TWO)
    assert build(pages)[0].ran == []


def test_html_is_the_same_whether_it_was_recorded_now_or_earlier(pages: Docs) -> None:
    first = {path.name: path.read_bytes() for path in pages.folder.joinpath("html").glob("*.html")}
    pages.configure(djconn_project=pages.project(), djconn_mode="run")
    again = pages.build("html", "-E", "-a")
    assert again.ran == ["apart", "kept"]
    assert {path.name: path.read_bytes() for path in pages.folder.joinpath("html").glob("*.html")} == first
