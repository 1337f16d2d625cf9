"""Builds of pages that name environments: made once for all, looked at each time, absent where they must be."""

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.lab.environments.other_builds import environments_in, interpreter, use_index
from tests.support.building import Built, Docs

PAGE = """
    Environments
    ============

    .. djconn:matrix:: kept-alive
       :environment: current, {names}
       :facts: http.connections, threads

       browser: GET /polls/
       wait 50ms
       browser: GET /polls/

    .. djconn:claim:: one-connection
       :in: kept-alive
       :where: environment == "{newest}"
       :expect: http.connections == 1 and threads == 1

       Requests are kept on one connection.

    .. djconn:claims::
"""
NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the build's own for environments; uv and pip keep theirs."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    monkeypatch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR", str(home / "uv")))
    monkeypatch.setenv("PIP_CACHE_DIR", os.environ.get("PIP_CACHE_DIR", str(home / "pip")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sphinx_djconn" / "environments"


def write(docs: Docs, *names: str, newest: str = "", more: str = "") -> None:
    docs.page("index", PAGE.format(names=", ".join(names), newest=newest or names[-1]) + more)


def made(built: Built) -> list[str]:
    return sorted(
        re.findall(r"^made the environment (\S+) for Python \S+ in [\d.]+ s$", built.status, re.MULTILINE)
    )


def facts(docs: Docs) -> dict[str, list[dict[str, object]]]:
    built = docs.build("djconn")
    return {name: each["runs"] for name, each in json.loads(built.read("facts.json")).items()}


@pytest.mark.exhaustive
def test_environments_are_made_and_run_and_a_second_build_does_neither(docs: Docs, empty_cache: Path):
    interpreter(6, 7)
    write(docs, "django-2.1.3", "django-2.1.4", "django-4.2")
    first = docs.build("text")
    assert first.warnings == []
    assert made(first) == ["django-2.1.3", "django-2.1.4", "django-4.2"]
    assert re.search(
        r"^making the environment django-4.2 for Python 3\.1\d\.\d+ with uv$", first.status, re.MULTILINE
    )
    assert len(first.ran) == 4
    assert len(environments_in(empty_cache)) == 3
    assert re.search(r"Checked with Django 4\.2\.\d+\.", first.read("index.txt"))
    second = docs.build("text")
    assert (made(second), second.ran, second.warnings) == ([], [], [])
    connections = {name: runs[0]["http.connections"] for name, runs in facts(docs).items()}
    assert connections == {
        "kept-alive[environment=current]": 1,
        "kept-alive[environment=django-2.1.3]": 2,  # its runserver hangs up (release notes of 2.1.4)
        "kept-alive[environment=django-2.1.4]": 1,
        "kept-alive[environment=django-4.2]": 1,
    }


def test_a_recording_names_what_was_installed_and_evidence_the_versions(docs: Docs) -> None:
    interpreter(6, 7, 8, 9, 10)
    docs.page(
        "index",
        ".. djconn:scenario:: old\n   :environment: django-3.2\n   :show: settings\n\n   browser: GET /\n",
    )
    built = docs.build("text")
    assert built.warnings == []
    head = json.loads(docs.recordings[0].read_text("utf-8").partition("\n")[0])
    named = dict(each.split("==") for each in head["environment"])
    assert set(named) >= {"asgiref", "django", "pytz", "sqlparse"}
    assert head["parts"]["django"] == named["django"]
    shown = built.read("index.txt")
    assert re.search(r"Environment +\| \"django-3\.2\"", shown)
    assert re.search(r"Django +\| \"3\.2\.\d+\"", shown)
    assert re.search(r"Python +\| \"3\.\d+\.\d+\"", shown)


@pytest.mark.exhaustive
def test_a_version_that_does_not_exist_is_an_error_of_the_page_and_the_others_are_shown(docs: Docs) -> None:
    write(docs, "django-5.2", "django-5.2.999", newest="django-5.2.999")
    built = docs.build("text")
    warning = built.warning("index.rst", docs.line(":: kept-alive"), kind="djconn.config")
    assert "`django-5.2.999`, of django==5.2.999, could not be made: no releases fulfil" in warning.text
    assert "there is no version of django==5.2.999" in warning.text  # what uv said
    claim = built.warning("index.rst", docs.line(":: one-connection"))
    assert "unproven" in claim.text
    shown = built.read("index.txt")
    assert "no releases fulfil" in shown
    assert re.search(r"django-5\.2 +\| 1 +\| 1 ", shown)


def test_a_requirement_that_does_not_resolve_is_an_error_of_the_page(docs: Docs) -> None:
    docs.configure(djconn_environments={"impossible": ["django~=5.2.0", "asgiref<3"]})
    write(docs, "impossible")
    warning = docs.build().warning("index.rst", docs.line(":: kept-alive"), kind="djconn.config")
    assert (
        "of django~=5.2.0 and asgiref<3, could not be made: no releases fulfil its requirements" in warning.text
    )


def test_without_a_network_what_is_there_is_used_and_the_rest_is_absent(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs.page("index", ".. djconn:scenario:: there\n   :environment: django-5.2\n\n   browser: GET /\n")
    docs.build()
    use_index(monkeypatch, NOWHERE)
    monkeypatch.setenv("UV_CACHE_DIR", str(docs.folder / "uv"))
    docs.configure(djconn_environments={"not-there": ["django~=5.2.0", "tomlkit"]})
    write(docs, "django-5.2", "not-there")
    built = docs.build("text")
    warning = built.warning("index.rst", docs.line(":: kept-alive"), kind="djconn.absent")
    assert "the package index cannot be reached" in warning.text
    assert "unproven" in built.warning("index.rst", docs.line(":: one-connection"), kind="djconn.absent").text
    assert re.search(r"django-5\.2 +\| 1 +\| 1 ", built.read("index.txt"))


@pytest.mark.exhaustive
def test_an_interpreter_that_disappeared_is_told_at_its_place(docs: Docs, tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    docs.configure(djconn_environments={"mine": {"python": str(python)}})
    write(docs, "mine")
    assert docs.build().warnings == []
    python.unlink()
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: kept-alive"), kind="djconn.absent")
    assert f"names the interpreter {python}, and there is no such program" in warning.text
    assert built.warning("index.rst", docs.line(":: one-connection"), kind="djconn.absent")


@pytest.mark.exhaustive
def test_what_was_changed_by_hand_in_an_environment_is_run_again(docs: Docs, empty_cache: Path) -> None:
    docs.page("index", ".. djconn:scenario:: changed\n   :environment: django-5.2\n\n   browser: GET /polls/\n")
    assert docs.build().ran == ["changed"]
    assert docs.build().ran == []
    (views,) = empty_cache.glob("*/*/env/lib/python*/site-packages/django/views/generic/base.py")
    views.write_text(views.read_text("utf-8") + "\n# changed by hand\n", "utf-8")
    again = docs.build()
    assert (again.ran, again.warnings) == (["changed"], [])
    assert docs.build().ran == []


@pytest.mark.exhaustive
def test_a_replay_looks_for_no_environment(docs: Docs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter(8, 9, 10, 11, 12)
    checkout = tmp_path / "checkout"
    values = {"djconn_recordings": "kept", "djconn_environments": {"named": ["django~=5.2.0"]}}
    docs.configure(**values)
    write(docs, "django-4.2", "named")
    text = docs.build("text").read("index.txt")
    shutil.rmtree(docs.doctrees)
    shutil.rmtree(docs.folder / "text")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    use_index(monkeypatch, NOWHERE)
    gone = {"named": {"path": str(checkout)}, "other": {"python": str(checkout / "python")}}
    docs.configure(djconn_mode="replay", **{**values, "djconn_environments": gone})
    replayed = docs.build("text")
    assert (replayed.warnings, replayed.ran, made(replayed)) == ([], [], [])
    assert replayed.read("index.txt") == text
    assert not (tmp_path / "nothing").exists()


@pytest.mark.exhaustive
def test_all_scenarios_that_name_no_environment_can_be_checked_in_another(docs: Docs) -> None:
    interpreter(12, 13, 14)
    docs.page("index", ".. djconn:scenario:: any\n\n   browser: GET /\n")
    docs.configure(djconn_environments={"main": ["django==6.0.*"]})
    docs.build("djconn")
    built = docs.build("text", "-D", "djconn_environment=main")
    assert (built.ran, built.warnings) == (["any"], [])
    assert re.search(r"Django +\| \"6\.0\.\d+\"", built.read("index.txt"))
    wrong = docs.build("text", "-D", "djconn_environment=mian")
    assert "djconn_environment: unknown environment `mian`; did you mean `main`?" in wrong.errors


@pytest.mark.exhaustive
def test_a_python_that_a_django_does_not_support_is_tried_where_conf_py_says_so(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_this = str(Path(sys.executable).resolve().parent)
    docs.page("index", ".. djconn:scenario:: old\n   :environment: django-3.1\n\n   browser: GET /plain/\n")
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(docs.folder / "no-pythons"))
    monkeypatch.setenv("PATH", f"{only_this}{os.pathsep}/bin")
    absent = docs.build().warning("index.rst", kind="djconn.absent")
    assert "`django-3.1` needs Python 3.6 to 3.9, and this machine has 3.1" in absent.text
    docs.configure(djconn_unsupported_pythons=True)
    built = docs.build("text")
    assert built.warnings == []
    assert re.search(
        r"Python +\| \"3\.1\d\.\d+, which Django 3\.1\.14 does not support\"", built.read("index.txt")
    )


@pytest.mark.exhaustive
def test_a_server_is_installed_beside_the_django_and_run_from_there(docs: Docs) -> None:
    interpreter(6, 7, 8, 9, 10)
    docs.page(
        "index",
        ".. djconn:scenario:: waits\n   :environment: django-3.2\n   :server: waitress\n   :show: settings\n\n"
        "   browser: GET /polls/\n",
    )
    built = docs.build("text")
    assert built.warnings == []
    assert re.search(r"Django +\| \"3\.2\.\d+\"", built.read("index.txt"))


@pytest.mark.exhaustive
def test_a_server_of_another_environment_is_found_out(docs: Docs) -> None:
    interpreter(6, 7, 8, 9, 10)
    command = [str(Path(sys.executable).with_name("waitress-serve")), "--listen=127.0.0.1:{port}", "{wsgi}"]
    docs.configure(djconn_servers={"elsewhere": {"command": command}})
    docs.page(
        "index",
        ".. djconn:scenario:: wrong\n   :environment: django-3.2\n   :server: elsewhere\n\n   browser: GET /\n",
    )
    warning = docs.build().warning("index.rst", kind="djconn.run")
    assert "and the environment `django-3.2` has Django 3.2." in warning.text


@pytest.mark.exhaustive
def test_a_server_of_asgi_needs_a_django_that_has_it(docs: Docs) -> None:
    interpreter(6, 7, 8, 9)
    docs.page(
        "index",
        ".. djconn:scenario:: early\n   :environment: django-2.2\n   :server: uvicorn\n\n   browser: GET /\n",
    )
    warning = docs.build().warning("index.rst", kind="djconn.absent")
    assert (
        "serves ASGI, which came with Django 3.0, and the environment `django-2.2` has Django 2.2."
        in warning.text
    )


@pytest.mark.exhaustive
def test_a_build_runs_what_it_can_while_an_environment_is_made_and_leaves_nothing_when_interrupted(
    docs: Docs, deaf_index: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(empty_cache.parent / "uv"))
    docs.page(
        "index",
        ".. djconn:scenario:: never\n   :environment: django-5.2\n\n   browser: GET /\n\n"
        ".. djconn:scenario:: meanwhile\n\n   browser: GET /\n",
    )
    with docs.building() as build:
        assert build.stdout is not None
        awaited = {"making the environment django-5.2", "running scenarios... [100%] meanwhile"}
        for line in build.stdout:
            awaited = {each for each in awaited if each not in line}
            if not awaited:
                break
        assert not awaited
        os.kill(build.pid, signal.SIGINT)
        build.communicate(timeout=20)
    assert docs.left_behind(5.0) == []
    assert environments_in(empty_cache) == []
