"""The Pythons of this machine."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sphinx_djconn.lab.environments.interpreters import (
    Interpreter,
    choose_interpreter,
    find_interpreters,
    inspect_interpreter,
)
from sphinx_djconn.lab.environments.python_versions import Range
from sphinx_djconn.lab.errors import AbsentError

OURS = tuple(sys.version_info[:3])
EMPTIED = ("HOME", "PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME")


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def claiming(version: str, *changes: str) -> str:
    """Return a script that runs the interpreter of the tests, and claims to be of ``version``."""
    ours, minor = ".".join(map(str, OURS)), "{}.{}".format(*OURS)
    replaced = [f's/"{ours}"/"{version}"/g', f's/"{minor}"/"{".".join(version.split(".")[:2])}"/g', *changes]
    base = os.path.realpath(sys.executable)
    return f'"{base}" "$@" | {shutil.which("sed")} {" ".join(f"-e {each!r}" for each in replaced)}'


def environ(tmp_path: Path, **variables: str) -> dict[str, str]:
    """Return an environment in which uv finds no Python, but for those in the folders of ``variables``."""
    cache = subprocess.check_output([sys.executable, "-m", "uv", "cache", "dir"], text=True).strip()
    empty = str(tmp_path / "empty")
    emptied = {**os.environ, **dict.fromkeys(EMPTIED, empty), "UV_CACHE_DIR": cache}
    return emptied | {name: str(tmp_path / folder) for name, folder in variables.items()}


def versions(environ: dict[str, str]) -> list[tuple[int, ...]]:
    return [each.version for each in find_interpreters(environ, [])]


def test_each_is_found_once_and_the_newest_first() -> None:
    found = find_interpreters()
    assert OURS in [each.version for each in found]
    assert [each.version for each in found] == sorted((each.version for each in found), reverse=True)
    assert len({os.path.realpath(each.path) for each in found}) == len(found)


@pytest.mark.parametrize(
    ("folder", "variable", "value"),
    [
        ("bin", "PATH", "bin"),
        ("root/versions/3.98.1/bin", "PYENV_ROOT", "root"),
        ("uv/cpython-3.98.1-linux-x86_64-gnu/bin", "UV_PYTHON_INSTALL_DIR", "uv"),
    ],
)
def test_they_are_looked_for_where_they_are_kept(
    tmp_path: Path, folder: str, variable: str, value: str
) -> None:
    program(tmp_path / folder, "python3.98", claiming("3.98.1"))
    assert versions(environ(tmp_path, **{variable: value}))[0] == (3, 98, 1)


def test_pyenv_is_looked_for_in_the_home_folder(tmp_path: Path) -> None:
    program(tmp_path / ".pyenv/versions/3.98.1/bin", "python3.98", claiming("3.98.1"))
    variables = environ(tmp_path, HOME=".")
    del variables["PYENV_ROOT"]
    assert versions(variables)[0] == (3, 98, 1)


def test_shims_of_pyenv_are_not_started(tmp_path: Path) -> None:
    program(tmp_path / "root/shims", "python3.98", f"touch {tmp_path / 'started'}\n{claiming('3.98.1')}")
    assert versions(environ(tmp_path, PATH="root/shims", PYENV_ROOT="root"))[0] == OURS
    assert not (tmp_path / "started").exists()


def test_what_is_no_python_or_too_old_or_does_not_start_is_left_out(tmp_path: Path) -> None:
    program(tmp_path, "python3.90", "exit 127")
    program(tmp_path, "python3.91", "echo Python")
    program(tmp_path, "python3.5", claiming("3.5.10"))
    (tmp_path / "python3.92").symlink_to("gone")
    assert versions(environ(tmp_path, PATH=".")) == [OURS]


def test_those_of_virtual_environments_are_left_out(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    found = find_interpreters(environ(tmp_path, PATH="env/bin"), [])
    assert [each.version for each in found] == [OURS]
    assert str(tmp_path) not in found[0].path


def test_unusual_ones_are_left_out(tmp_path: Path) -> None:
    program(tmp_path, "python3.95", claiming("3.95.0rc1"))
    program(tmp_path, "python3.96", claiming("3.96.0", 's/"gil_disabled": false/"gil_disabled": true/'))
    program(tmp_path, "python3.97", claiming("3.97.0", 's/"CPython"/"PyPy"/', 's/"cpython"/"pypy"/'))
    assert versions(environ(tmp_path, PATH=".")) == [OURS]


def test_the_newest_that_is_supported_is_chosen() -> None:
    found = [Interpreter(f"/{minor}", (3, minor, 1)) for minor in (13, 12, 9, 8)]
    assert choose_interpreter(found, Range((3, 8), (3, 12)), "it").path == "/12"
    assert choose_interpreter(found, Range((3, 8), (3, 11)), "it").path == "/9"


def test_if_none_is_supported_the_message_says_what_was_looked_for_and_where() -> None:
    with pytest.raises(
        AbsentError, match=r"it needs Python 3\.6 to 3\.7, and this machine has 3\.13\.1; looked"
    ):
        choose_interpreter([Interpreter("/13", (3, 13, 1))], Range((3, 6), (3, 7)), "it")


def test_a_program_that_is_no_python_is_refused_by_name(tmp_path: Path) -> None:
    path = program(tmp_path, "python", "exit 1")
    with pytest.raises(
        AbsentError, match=f"the environment `mine` names the interpreter {path}, which does not"
    ):
        inspect_interpreter(str(path), "the environment `mine`")


def test_without_uv_the_message_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentError, match=r'uv, which is not installed; .*"sphinx-djconn\[environments\]"'):
        find_interpreters()


def test_a_uv_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = program(tmp_path, "uv", "echo 'error: unexpected argument' >&2; exit 2")
    monkeypatch.setattr("sphinx_djconn.lab.environments.interpreters.find_uv", lambda: str(uv))
    with pytest.raises(AbsentError, match=f"`{uv} python list` failed; .*: error: unexpected argument"):
        find_interpreters()
