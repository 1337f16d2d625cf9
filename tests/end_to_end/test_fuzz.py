"""Whatever a recording, conf.py or a page contains, no exception comes out of it but those that are declared.

``DJCONN_FUZZ_CASES`` is how many cases there are in all, ``DJCONN_FUZZ_SEED`` what they are made from.
"""

import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from sphinx_djconn import store
from sphinx_djconn.evidence.parts import PARTS, evidence
from sphinx_djconn.ext.check import check
from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.reports import report
from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.scenario.model import Request, Scenario, Sequence, Together
from sphinx_djconn.store import Key, Recording, Store, StoreError
from sphinx_djconn.trace.events import Event, TraceError
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.end_to_end.fuzzing import Fuzzer

CASES = int(os.environ.get("DJCONN_FUZZ_CASES", "600"))
SEED = int(os.environ.get("DJCONN_FUZZ_SEED", "1"))
PAGES_AT_ONCE = 100


BODY = {"json": {"a": [1, {"b": "<secret>"}]}, "unknown": [[["a", 1, "b"], "it was masked as a secret"]]}


def right_trace() -> Trace:
    """Return a trace with each kind of event, as a run could leave it behind."""
    told: list[tuple[str, int, int, int | None, dict[str, Any]]] = [
        ("collector", 0, 0, None, {"mode": "automatic", "room": 20}),
        ("process.start", 1, 0, None, {"pid": 7, "ppid": 6, "python": "3.13.0"}),
        ("thread.start", 1, 1, None, {"name": "MainThread", "ident": 1, "native": 1, "main": True}),
        ("thread.start", 1, 3, None, {"name": "x", "ident": 3, "native": 3, "main": False, "foreign": True}),
        ("django", 1, 1, None, {"version": "5.2"}),
        ("databases", 1, 1, None, {"aliases": ["default"]}),
        ("db.wrapper", 1, 1, None, {"w": 1, "alias": "default", "vendor": "x", "max_age": 0}),
        ("db.open", 1, 1, None, {"w": 1, "c": 1, "alias": "default", "pid": 70, "inode": 9}),
        ("listening", 1, 1, None, {"host": "127.0.0.1", "port": 8000}),
        ("begin", 0, 0, None, {}),
        ("step", 0, 0, None, {"n": 1, "text": "browser: GET / as first"}),
        ("http.open", 0, 0, None, {"h": 1, "client": "browser", "port": 4000}),
        ("request.sent", 0, 0, 1, {"client": "browser", "method": "GET", "path": "/", "label": "first"}),
        ("thread.start", 1, 2, None, {"name": "Thread-1 (x)", "ident": 2, "native": 2, "main": False}),
        ("greenlet.start", 1, 2, None, {"g": 1, "ident": 5}),
        ("request.begin", 1, 2, 1, {"g": 1, "task": 3}),
        ("request.view", 1, 2, 1, {"g": 1}),
        ("db.wrapper", 1, 2, 1, {"w": 2, "alias": "default", "vendor": "x", "max_age": 0}),
        ("db.open", 1, 2, 1, {"w": 2, "c": 2, "alias": "default", "pid": 71, "pooled": True}),
        ("db.use", 1, 2, 1, {"w": 2, "c": 2}),
        ("db.health", 1, 2, 1, {"w": 2, "c": 2, "usable": True}),
        ("db.failed", 1, 2, 1, {"w": 2, "error": "OperationalError"}),
        ("db.close", 1, 2, 1, {"w": 2, "c": 2, "why": "age", "phase": "end", "pooled": True}),
        ("request.view.end", 1, 2, 1, {"g": 1}),
        ("process.child", 1, 2, 1, {"g": 1, "pid": 8}),
        ("request.end", 1, 2, 1, {"g": 1}),
        ("request.collected", 1, 2, 1, {"g": 1}),
        ("response", 0, 0, 1, {"h": 1, "status": 200, "size": 9, "new": True, "close_delimited": True, **BODY}),
        (
            "processes.seen",
            0,
            0,
            None,
            {"processes": [{"p": 1, "threads": [1, 2], "files": 1, "locked": True, "connections": [1]}]},
        ),
        ("db.sessions", 0, 0, None, {"sessions": [[70, "idle"], [71, "idle"]]}),
        ("events.read", 0, 0, None, {"processes": [[1, 0]]}),
        ("db.fault", 0, 0, None, {"action": "restart"}),
        ("step", 0, 0, None, {"n": 2, "text": "new client: GET /"}),
        ("request.sent", 0, 0, 2, {"client": "new client", "method": "GET", "path": "/", "label": None}),
        ("request.error", 0, 0, 2, {"h": None, "error": "ConnectionResetError"}),
        ("greenlet.end", 1, 2, None, {"g": 1}),
        ("thread.end", 1, 2, None, {}),
        ("db.collected", 1, 0, None, {"w": 2, "c": 2}),
        ("http.close", 0, 0, None, {"h": 1, "by": "server"}),
        ("process.exit", 1, 0, None, {}),
        ("end", 0, 0, None, {}),
    ]  # fmt: skip
    events = (Event(1000 * at, kind, p, th, r, at, data) for at, (kind, p, th, r, data) in enumerate(told))
    settings = {"Django": "5.2", "Python": "3.13", "Server": "runserver", "Command": "python", "Database": "x"}
    return Trace(tuple(events), tuple(f"line {n}" for n in range(30)), settings)


SCENARIO = Scenario(
    Sequence(
        (
            Request("browser", "GET", "/", label="first"),
            Together((Request("browser", "GET", "/"), Request(None, "GET", "/"))),
        ),
        "browser: GET / as first\ntogether:\n   browser: GET /\n   new client: GET /",
    ),
    runs=2,
)


def sealed(head: Any, runs: list[Any]) -> bytes:
    """Return a recording with digests that are right."""
    text = "".join(store._line(run) for run in runs).encode()
    if isinstance(head, dict):
        head = {**head, "digest": store._digest(text)}
        head.pop("seal", None)
        head["seal"] = store._header_digest(head)
    return store._line(head).encode() + text


def test_recordings(tmp_path: Path) -> None:
    key, fuzzer, found = Key(SCENARIO, {"server": "x", "django": "5.2"}), Fuzzer(SEED), Counter[str]()
    kept = Store(tmp_path)
    kept.write(Recording(key, (right_trace(), right_trace()), ("a note",), ("django==5.2",)))
    right = kept.path(key).read_bytes()
    assert kept.read(key) is not None
    for number in range(CASES // 2):
        kept.path(key).write_bytes(fuzzer.recording(right, sealed))
        try:
            kept.read_header(key)
            recording = kept.read(key)
            assert recording is not None
            for trace in recording.runs:
                facts_of(trace)
            if number % 4 == 0:
                evidence(key.scenario, recording.runs, PARTS)
            found["read"] += 1
        except (StoreError, TraceError) as error:
            found[type(error).__name__] += 1
        except BaseException as error:
            error.add_note(kept.path(key).read_text("utf-8", "backslashreplace"))
            raise
    assert min(found["read"], found["StoreError"]) > CASES // 40


RIGHT: dict[str, Any] = {
    "djconn_project": {"path": ".", "settings": "mysite.settings", "fixtures": ["a"], "timeout": 5},
    "djconn_projects": {"shop": {"path": ".", "settings": "shop.settings"}},
    "djconn_servers": {
        "mine": {
            "command": ["python", "{port}", "{wsgi}"],
            "requires": ["waitress"],
            "env": {"A": "{folder}"},
            "apps": ["daphne"],
            "reloads": True,
            "refuses_root": False,
            "stop_seconds": 3,
            "log_limit": 1000,
        }
    },
    "djconn_databases": {
        "mine": {"kind": "postgresql", "options": {"pool": {"min_size": 1}}, "max_connections": 5},
        "given": {"kind": "mariadb", "dsn": "mariadb://x@y/z"},
        "set": {"kind": "postgresql", "server_settings": {"idle_session_timeout": "1s"}},
    },
    "djconn_environments": {
        "a": ["django~=4.2.0", "gunicorn"],
        "b": {"path": ".", "requirements": ["django==4.2"]},
        "c": {"requirements": ["django==4.2.8"], "python": "/usr/bin/python3"},
    },
    "djconn_environment": "current",
    "djconn_unsupported_pythons": False,
    "djconn_mode": "auto",
    "djconn_recordings": "recordings",
    "djconn_jobs": 0,
    "djconn_warm": True,
    "djconn_timeout": 30.0,
}


class Conf(dict[str, Any]):
    """What of Sphinx's configuration is asked for."""

    def __missing__(self, name: str) -> Any:
        return None


def test_values_of_conf_py(tmp_path: Path) -> None:
    fuzzer, found = Fuzzer(SEED + 1), Counter[str]()
    for _ in range(CASES // 4):
        conf = Conf(fuzzer.conf(RIGHT))
        try:
            settings = Settings.of(conf)  # type: ignore[arg-type]
            profiles = settings.profiles(tmp_path)
            settings.recordings_folder(tmp_path, tmp_path)
            assert settings.at_once > 0
            for name in ("mine", "given", "set", "sqlite"):
                try:
                    profiles.check(Scenario(SCENARIO.sequence, server="mine", database=name, project="shop"))
                    found["used"] += 1
                except ProfileError:
                    found["refused"] += 1
        except ProfileError:
            found["refused as a whole"] += 1
        except BaseException as error:
            error.add_note(f"{conf}")
            raise
    assert min(found.values()) > CASES // 100


def test_pages(tmp_path: Path) -> None:
    fuzzer, done = Fuzzer(SEED + 2), 0
    source = tmp_path / "pages"
    source.mkdir()
    source.joinpath("conf.py").write_text("extensions = ['sphinx_djconn']\ndjconn_mode = 'replay'\n")
    source.joinpath("index.rst").write_text("Index\n=====\n")
    warnings = io.StringIO()
    with patch_docutils(source), docutils_namespace():
        app = Sphinx(
            source, source, tmp_path / "out", tmp_path / "doctrees", "djconn", status=None, warning=warnings
        )
        app.build()
        while done < CASES // 4:
            domain = domain_of(app.env)
            for number in range(min(PAGES_AT_ONCE, CASES // 4 - done)):
                text = fuzzer.page()
                name = f"page{number}"
                source.joinpath(f"{name}.rst").write_text(f"Page\n====\n\n{text}\n", "utf-8")
                app.env.clear_doc(name)
                app.env.all_docs[name] = 0
                try:
                    app.env.prepare_settings(name)
                    app.builder.read_doc(name)
                except BaseException as error:
                    error.add_note(text)
                    raise
                done += 1
            results = check(app, domain)
            domain.checked = results
            json.dumps([results.judgement(name).reason for name in results.claims])
            report(app.env, tmp_path / "out")
            assert "Traceback" not in warnings.getvalue()
            assert "a bug of sphinx_djconn" not in warnings.getvalue()
            warnings.seek(0)
            warnings.truncate()


@pytest.fixture(autouse=True)
def enough() -> None:
    assert CASES >= 100
