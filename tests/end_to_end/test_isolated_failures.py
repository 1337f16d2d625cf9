"""What goes wrong in one scenario, whatever it is, is that scenario's trouble: the others are evidence."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn import store
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from tests.support.building import Built, Docs

VIEWS = """
import json
import shutil
import socket


def nested(request):
    return HttpResponse("[" * 700 + "]" * 700, content_type="application/json")


def forge(request):
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(os.environ["DJCONN_SOCKET"])
        probe.sendall(b'{"t": 1, "k": "process.start"}\\n')
        time.sleep(0.3)
    return HttpResponse("forged")


def remove(request):
    shutil.rmtree(os.environ["TMPDIR"])
    return HttpResponse("removed")


def deep(request):
    os.chdir(os.environ["TMPDIR"])
    for _ in range(400):
        os.mkdir("x" * 20)
        os.chdir("x" * 20)
    return HttpResponse("deep")


def headers(request):
    response = HttpResponse("many")
    for number in range(120):
        response[f"X-Number-{number}"] = "1"
    return response


def long_header(request):
    response = HttpResponse("long")
    response["X-Long"] = "x" * 1_000_000
    return response


def endless(request):
    from django.http import StreamingHttpResponse

    def parts():
        while True:
            time.sleep(0.02)
            yield b"x"

    return StreamingHttpResponse(parts())
"""

PAGE = """
    Faults
    ======

    .. djconn:scenario:: good

       browser: GET / as first

    .. djconn:claim:: holds
       :in: good
       :expect: first.status == 200

       A sentence that holds.

    .. djconn:scenario:: nested

       browser: GET /nested as deep

    .. djconn:scenario:: too-long
       :timeout: 1e10

       browser: GET /

    .. djconn:scenario:: forged

       browser: GET /forge

    .. djconn:scenario:: removed

       browser: GET /remove

    .. djconn:scenario:: deep

       browser: GET /deep

    .. djconn:scenario:: many-headers

       browser: GET /headers -> 200

    .. djconn:scenario:: long-header

       browser: GET /long_header -> 200

    .. djconn:scenario:: endless
       :timeout: 2

       browser: GET /
       browser: GET /endless
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    shared_docs.configure(djconn_project=shared_docs.project(views=VIEWS))
    shared_docs.page("index", PAGE)
    return shared_docs.build()


def test_a_claim_about_another_scenario_holds(built: Built) -> None:
    assert built.code == 0
    assert "djconn-holds" in built.read("index.html")


@pytest.mark.parametrize(
    ("where", "kind", "said"),
    [
        (
            ":timeout: 1e10",
            "djconn.config",
            "`1e10` is no time limit: use seconds, such as `10`, and at most 86,400",
        ),
        (
            ":: forged",
            "djconn.run",
            "something else than a probe has sent events, so nothing of this run",
        ),
        (":: removed", "djconn.run", "the folder of the run was removed while it went on"),
        ("GET /headers", "djconn.run", "had no response (more than 100 headers, which is the most"),
        ("GET /long_header", "djconn.run", "had no response (a header line of more than 65,536 bytes"),
        ("GET /endless", "djconn.run", "while waiting for the response to `GET /endless`"),
    ],
)
def test_a_message_names_the_cause(built: Built, shared_docs: Docs, where: str, kind: str, said: str) -> None:
    line = next(n for n, text in enumerate(PAGE.split("\n"), 0) if text.endswith(where) or where in text)
    found = [each for each in built.warnings if said in each.text]
    assert [(each.kind, abs(each.line - line) <= 3) for each in found] == [(kind, True)], built.errors


def test_nothing_else_is_warned_of(built: Built) -> None:
    assert len([each for each in built.warnings if each.kind.startswith("djconn.")]) == 6, built.errors


def test_json_that_is_nested_too_deeply_is_not_known(built: Built, shared_docs: Docs) -> None:
    facts = json.loads(shared_docs.build("djconn").read("facts.json"))
    (run,) = facts["nested"]["runs"]
    assert run["deep.json"] == {"unknown": "it is nested more than 100 levels deep"}


def test_nothing_is_left(built: Built, shared_docs: Docs) -> None:
    assert shared_docs.left_behind() == []


def test_a_bug_of_ours_is_said_as_such_and_concerns_one_scenario(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Laboratory.run

    def failing(laboratory: Laboratory, scenario: Scenario) -> store.Recording:
        if scenario.runs == 2:
            raise ZeroDivisionError("by zero")
        return run(laboratory, scenario)

    monkeypatch.setattr(Laboratory, "run", failing)
    docs.configure(djconn_project=docs.project())
    docs.page(
        "index",
        """
        .. djconn:scenario:: good

           browser: GET / as first

        .. djconn:scenario:: bad
           :runs: 2

           browser: GET / as first

        .. djconn:claim:: about-it
           :in: bad
           :expect: first.status == 200

           A sentence.

        .. djconn:claim:: holds
           :in: good
           :expect: first.status == 200

           A sentence that holds.
        """,
    )
    built = docs.build()
    text = built.warning("index.rst", docs.line(":: bad"), kind="djconn.run").text
    assert "a bug of sphinx_djconn, not a mistake of the page: ZeroDivisionError: by" in text
    assert "please report it at https://" in text
    assert "with the file `djconn/bugs/bad.txt` of the doctrees" in text
    assert "ZeroDivisionError" in docs.doctrees.joinpath("djconn", "bugs", "bad.txt").read_text("utf-8")
    assert "unproven" in built.warning("index.rst", docs.line(":: about-it"), kind="djconn.claim").text
    assert "djconn-holds" in built.read("index.html")
    assert len(docs.recordings) == 1


@pytest.mark.exhaustive
def test_a_project_of_two_thousand_nested_folders_is_run(docs: Docs) -> None:
    project = docs.project()
    command = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(2000):\n os.mkdir('x')\n os.chdir('x')"
    subprocess.run([sys.executable, "-c", command, str(docs.folder / "site")], check=True)
    docs.configure(djconn_project=project)
    docs.page("index", ".. djconn:scenario:: good\n\n   browser: GET / -> 200\n")
    try:
        assert docs.build().warnings == []
    finally:
        subprocess.run(["rm", "-rf", str(docs.folder / "site" / "x")], check=True)


ONE = """
    .. djconn:scenario:: recorded

       browser: GET / as first

    .. djconn:claim:: answers
       :in: recorded
       :expect: first.status == 200

       It answers.
"""


def change(path: Path, head: dict[str, Any] | None = None, **run: Any) -> None:
    """Change a recording, and give it digests that are right."""
    first, text, *_ = path.read_text("utf-8").split("\n")
    lines = json.dumps({**json.loads(text), **run}, separators=(",", ":")) + "\n"
    changed = {**json.loads(first), **(head or {}), "digest": store._digest(lines.encode())}
    changed.pop("seal")
    changed["seal"] = store._header_digest(changed)
    path.write_text(json.dumps(changed) + "\n" + lines, "utf-8")


FORMS: list[dict[str, Any]] = [
    {"events": 1},
    {"events": [1]},
    {"events": [{"t": 1, "k": "begin", "p": "0"}]},
    {"events": [{"t": 1, "k": "http.close", "p": 0, "h": 77, "by": "client"}]},
    {"events": [{"t": 1, "k": "process.start", "p": 1}]},
    {"settings": [1]},
    {"settings": {"Django": 5}},
    {"log": "text"},
    {"log": [1]},
    {"head": {"parts": {"server": 1}}},
    {"head": {"notes": [1]}},
    {"head": {"environment": None}},
    {"head": {"notes": "a text"}},
]


@pytest.fixture(scope="module")
def recorded(shared_docs: Docs, built: Built) -> tuple[store.Store, store.Key]:
    """The recording of the scenario ``good``, in a folder where a test can change it."""
    kept = store.Store(shared_docs.doctrees / "djconn" / "recordings")
    for path in shared_docs.recordings:
        sequence = parse_sequence(json.loads(path.read_text("utf-8").split("\n")[0])["scenario"])
        key = store.Key(Scenario(sequence), {})
        if kept.path(key) == path and sequence.labels == ("first",):
            return kept, key
    raise AssertionError("it was recorded")


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_wrong_content_with_right_digests_is_refused(
    recorded: tuple[store.Store, store.Key], tmp_path: Path, form: dict[str, Any]
) -> None:
    kept, key = recorded
    mine = store.Store(tmp_path)
    shutil.copy(kept.path(key), mine.path(key))
    assert mine.read(key) is not None
    change(mine.path(key), **form)
    with pytest.raises(store.StoreError, match=mine.path(key).name):
        mine.read(key)


@pytest.mark.parametrize(("mode", "form"), [("replay", FORMS[3]), ("auto", FORMS[0]), ("replay", FORMS[-1])])
def test_a_recording_with_right_digests_and_wrong_content_is_stale(
    docs: Docs, mode: str, form: dict[str, Any]
) -> None:
    docs.configure(djconn_project=docs.project(), djconn_recordings="recordings")
    docs.page("index", ONE)
    assert docs.build().warnings == []
    (path,) = docs.source.joinpath("recordings").iterdir()
    docs.configure(djconn_project=docs.project(), djconn_recordings="recordings", djconn_mode=mode)
    change(path, **form)
    shutil.rmtree(docs.doctrees, ignore_errors=True)
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: recorded"), kind="djconn.stale")
    assert f"the recording {path.name}" in warning.text
    assert "unproven" in built.warning("index.rst", docs.line(":: answers"), kind="djconn.claim").text


@pytest.mark.parametrize("key", ["parts", "notes", "environment", "format", "scenario", "digest", "seal"])
def test_the_digest_covers_what_stands_above_the_runs(
    recorded: tuple[store.Store, store.Key], tmp_path: Path, key: str
) -> None:
    kept, of = recorded
    mine = store.Store(tmp_path)
    head, _, runs = kept.path(of).read_text("utf-8").partition("\n")
    changed = json.loads(head)
    changed[key] = {"parts": {}, "notes": ["x"], "environment": ["x==1"], "format": 77}.get(key, "x")
    mine.path(of).write_text(json.dumps(changed) + "\n" + runs, "utf-8")
    with pytest.raises(store.StoreError):
        mine.read_header(of)


@pytest.mark.exhaustive
def test_recordings_that_are_removed_under_a_build_are_said(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", ONE)
    look = store.Store.write

    def lost(kept: store.Store, recording: store.Recording) -> store.Header:
        stored = look(kept, recording)
        kept.path(recording.key).unlink()
        return stored

    monkeypatch.setattr(store.Store, "write", lost)
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: recorded"), kind="djconn.stale")
    assert "its recording was removed while the docs were built" in warning.text
    assert "unproven" in built.warning("index.rst", docs.line(":: answers"), kind="djconn.claim").text
    monkeypatch.undo()
    assert docs.build().ran == ["recorded"]


@pytest.mark.exhaustive
def test_two_documentations_with_one_folder_for_doctrees_are_both_built(docs: Docs) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", ONE)
    other = docs.folder / "other"
    shutil.copytree(docs.source, other)
    index = other / "index.rst"
    index.write_text(index.read_text("utf-8").replace("GET /", "GET /?other"), "utf-8")
    command = ["-b", "html", "-d", str(docs.doctrees), str(other), str(docs.folder / "other-html")]
    for _ in range(2):
        assert docs.build().warnings == []
        assert docs.run(command).warnings == []
