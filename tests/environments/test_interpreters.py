"""The Pythons of this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sphinx_djconn.lab.environments.interpreters import Interpreter, ask, newest, on_this_machine
from sphinx_djconn.lab.environments.python_versions import Range
from sphinx_djconn.lab.errors import AbsentError

OURS = tuple(sys.version_info[:3])


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def answer(version: str, *, implementation: str = "CPython", level: str = "final", free: bool = False) -> str:
    """Return a program that says to be such an interpreter."""
    lines = ["False", "", "$0", implementation, level, str(free), version]
    return "\n".join(f'echo "{line}"' for line in lines)


def versions(variables: dict[str, str]) -> list[str]:
    return [each.text for each in on_this_machine({"HOME": "/nonexistent", **variables}, [])]


def test_each_is_found_once_and_the_newest_first() -> None:
    found = on_this_machine()
    assert OURS in [each.version for each in found]
    assert [each.version for each in found] == sorted((each.version for each in found), reverse=True)
    assert len({os.path.realpath(each.path) for each in found}) == len(found)


@pytest.mark.parametrize(
    ("folder", "variable", "value"),
    [
        ("bin", "PATH", "bin"),
        ("root/versions/3.98.1/bin", "PYENV_ROOT", "root"),
        (".pyenv/versions/3.98.1/bin", "HOME", "."),
        ("uv/cpython-3.98.1-linux/bin", "UV_PYTHON_INSTALL_DIR", "uv"),
        ("data/uv/python/cpython-3.98.1-linux/bin", "XDG_DATA_HOME", "data"),
        (".local/share/uv/python/cpython-3.98.1-linux/bin", "HOME", "."),
    ],
)
def test_they_are_looked_for_where_they_are_kept(
    tmp_path: Path, folder: str, variable: str, value: str
) -> None:
    program(tmp_path / folder, "python3.98", answer("3.98.1"))
    assert versions({variable: str(tmp_path / value)})[0] == "3.98.1"


def test_what_is_no_python_or_too_old_or_does_not_start_is_left_out(tmp_path: Path) -> None:
    program(tmp_path, "python3.90", "exit 127")
    program(tmp_path, "python3.91", "echo Python")
    program(tmp_path, "python3.5", answer("3.5.10"))
    (tmp_path / "python3.92").symlink_to("gone")
    assert versions({"PATH": str(tmp_path)}) == [".".join(map(str, OURS))]


def test_of_a_virtual_environment_its_base_is_found(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    found = on_this_machine({"PATH": str(tmp_path / "env/bin"), "HOME": "/nonexistent"}, [])
    assert [each.version for each in found] == [OURS]
    assert str(tmp_path) not in found[0].path


def test_unusual_ones_are_not_chosen(tmp_path: Path) -> None:
    program(tmp_path, "python3.95", answer("3.95.0", level="candidate"))
    program(tmp_path, "python3.96", answer("3.96.0", free=True))
    program(tmp_path, "python3.97", answer("3.97.0", implementation="PyPy"))
    found = on_this_machine({"PATH": str(tmp_path), "HOME": "/nonexistent"}, [])
    assert len(found) == 4
    assert newest(found, Range((3, 6), None), "it").version == OURS


def test_the_newest_that_is_supported_is_chosen() -> None:
    found = [Interpreter(f"/{minor}", (3, minor, 1)) for minor in (13, 12, 9, 8)]
    assert newest(found, Range((3, 8), (3, 12)), "it").path == "/12"
    assert newest(found, Range((3, 8), (3, 11)), "it").path == "/9"


def test_where_none_is_supported_it_says_what_was_looked_for_and_where() -> None:
    with pytest.raises(
        AbsentError, match=r"it needs Python 3\.6 to 3\.7, and this machine has 3\.13\.1; looked"
    ):
        newest([Interpreter("/13", (3, 13, 1))], Range((3, 6), (3, 7)), "it")


def test_a_program_that_is_no_python_is_refused_by_name(tmp_path: Path) -> None:
    path = program(tmp_path, "python", "exit 1")
    with pytest.raises(AbsentError, match="does not answer as a Python does"):
        ask(str(path), "the environment `mine`")
