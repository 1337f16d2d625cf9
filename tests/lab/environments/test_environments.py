"""Environments that are really made, and what becomes of it where something is amiss."""

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.lab.environments.cache import CachedEnvironment
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.environments.environments import Environments
from sphinx_djconn.lab.environments.interpreters import find_interpreters
from sphinx_djconn.lab.environments.specification import find_specification, parse_environments
from sphinx_djconn.lab.errors import AbsentError, Cancelled, EnvironmentCreationError, UnresolvedError
from sphinx_djconn.lab.process.cancellation import Cancellation
from tests.lab.environments.other_builds import (
    Build,
    environments_in,
    interpreter,
    specification,
    use_index,
    wait_until,
)

NOWHERE = "http://127.0.0.1:9/simple"


def imported(ready: Environment) -> str:
    code = "import django; print(django.get_version())"
    return subprocess.run([ready.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def copy(ready: Environment, cache: Path) -> Path:
    """Return a copy of the cache that ``ready`` is in, for tests that change it."""
    place = Path(ready.python).parents[3]
    shutil.copytree(place, cache / place.name, symlinks=True)
    return cache


def test_a_built_in_one_has_the_newest_django_of_its_series(django52: Environment) -> None:
    assert imported(django52).startswith("5.2.")
    assert django52.read_packages().version("django") == imported(django52)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "minors"),
    [
        ("django-1.11.29", (6, 7)),
        ("django-2.1.3", (6, 7)),
        ("django-2.2", (6, 7, 8, 9)),
        ("django-4.2", (10, 11, 12)),
    ],
)
def test_each_django_gets_a_python_that_it_supports(cache: Path, name: str, minors: tuple[int, ...]) -> None:
    interpreter(*minors)
    ready = Environments(cache).get(find_specification(name, {}))
    assert imported(ready).startswith(name.removeprefix("django-"))
    assert int(ready.version.split(".")[1]) <= minors[-1]


def test_a_second_build_makes_nothing_and_finds_the_same(
    cache: Path, django52: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, NOWHERE)
    told: list[str] = []
    again = Environments(cache, report=told.append).get(find_specification("django-5.2", {}))
    assert again == django52
    assert again.read_packages() == django52.read_packages()
    assert told == []


@pytest.mark.exhaustive
def test_progress_says_what_is_made_and_how_long_it_took(tmp_path: Path) -> None:
    told: list[str] = []
    Environments(tmp_path, report=told.append).get(find_specification("django-5.2", {}))
    assert [each.split(" with ")[0].split(" in ")[0].split(" for Python")[0] for each in told] == [
        "making the environment django-5.2",
        "made the environment django-5.2",
    ]


@pytest.mark.exhaustive
def test_two_builds_make_one_together(tmp_path: Path) -> None:
    builds = [Build(tmp_path, "django~=5.2.0") for _ in range(2)]
    (told, result), (also_told, same) = [each.result() for each in builds]
    assert result["python"] == same["python"]
    assert sum(line.startswith("made ") for line in told + also_told) == 1
    assert len(environments_in(tmp_path)) == 1


@pytest.mark.exhaustive
def test_many_threads_of_a_build_make_one_together(tmp_path: Path) -> None:
    told: list[str] = []
    environments = Environments(tmp_path, report=told.append)
    threads = [
        threading.Thread(target=environments.get, args=[find_specification("django-5.2", {})]) for _ in range(3)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(line.startswith("made ") for line in told) == 1


def test_a_build_waits_for_the_one_that_makes_it_and_says_so(tmp_path: Path, deaf_index: str) -> None:
    first = Build(tmp_path, "django~=5.2.0")
    assert first.said()["told"].startswith("making ")
    second = Build(tmp_path, "django~=5.2.0")
    assert second.said()["told"].startswith("waiting for another build")
    first.kill()
    assert second.said()["told"].startswith("making ")
    second.kill()


def test_a_build_that_waits_for_another_can_be_interrupted(tmp_path: Path, deaf_index: str) -> None:
    first = Build(tmp_path, "django~=5.2.0")
    first.said()
    interruption = Cancellation()
    environments = Environments(tmp_path, cancellation=interruption, report=lambda _: interruption.cancel())
    with pytest.raises(Cancelled):
        environments.get(find_specification("django-5.2", {}))
    assert environments_in(tmp_path), "the other one's is left alone"
    first.kill()


@pytest.mark.exhaustive
def test_of_a_build_that_is_killed_nothing_is_left_and_the_next_one_makes_it(
    tmp_path: Path, deaf_index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Build(tmp_path, "django~=5.2.0")
    wait_until(lambda: any((each / "env/pyvenv.cfg").exists() for each in environments_in(tmp_path)))
    build.kill()
    wait_until(lambda: not environments_in(tmp_path))
    assert not [each for each in psutil.process_iter() if str(tmp_path) in " ".join(_command(each))]
    with monkeypatch.context() as context:
        for name in ("PIP_INDEX_URL", "UV_NO_CONFIG"):
            context.delenv(name)
        assert imported(Environments(tmp_path).get(specification("django~=5.2.0"))).startswith("5.2.")


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.exhaustive
def test_what_a_machine_that_lost_power_has_left_is_removed(tmp_path: Path, django52: Environment) -> None:
    cache = copy(django52, tmp_path / "cache")
    complete = next(cache.glob("*/complete"))
    complete.unlink()
    left = set(environments_in(cache))
    ready = Environments(cache).get(find_specification("django-5.2", {}))
    assert imported(ready).startswith("5.2.")
    assert not left & set(environments_in(cache))


def test_an_interruption_ends_it_at_once_and_leaves_nothing(tmp_path: Path, deaf_index: str) -> None:
    interruption = Cancellation()
    threading.Timer(1.5, interruption.cancel).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        Environments(tmp_path, cancellation=interruption).get(find_specification("django-5.2", {}))
    assert time.monotonic() - begun < 8
    assert not environments_in(tmp_path)


def test_a_time_limit_ends_it_and_leaves_nothing(tmp_path: Path, deaf_index: str) -> None:
    with pytest.raises(EnvironmentCreationError, match="took longer than the time limit"):
        Environments(tmp_path, timeout=2).get(find_specification("django-5.2", {}))
    assert not environments_in(tmp_path)


def test_a_full_disk_leaves_nothing_and_is_named(tmp_path: Path) -> None:
    def nearly_full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    _, result = Build(tmp_path, "django~=5.2.0", before=nearly_full).result()
    assert "the disk is full; free some space" in result["error"]
    assert not environments_in(tmp_path)


def test_what_cannot_be_noted_is_absent(tmp_path: Path) -> None:
    place = CachedEnvironment(tmp_path, "place")
    with place.locked(Cancellation(), 1, lambda: None):
        attempt = place.new_attempt()
        (attempt / "env/bin").mkdir(parents=True)
        (tmp_path / "place/complete.new").mkdir()
        with pytest.raises(EnvironmentCreationError, match="free some space"):
            place.mark_complete(attempt, {})
        assert place.read() is None
        assert not attempt.exists()


def test_without_a_network_nothing_is_made_and_the_index_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, NOWHERE)
    with pytest.raises(EnvironmentCreationError, match="the package index cannot be reached") as raised:
        Environments(tmp_path).get(find_specification("django-5.2", {}))
    assert raised.value.log
    assert not environments_in(tmp_path)


def test_a_failure_is_not_tried_again_in_the_same_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, NOWHERE)
    told: list[str] = []
    environments = Environments(tmp_path, report=told.append)
    for _ in range(2):
        with pytest.raises(EnvironmentCreationError):
            environments.get(find_specification("django-5.2", {}))
    assert len(told) == 1


@pytest.mark.parametrize("requirements", [["django==5.2.999"], ["django~=5.2.0", "asgiref<3"]])
def test_what_does_not_resolve_says_so(tmp_path: Path, requirements: list[str]) -> None:
    with pytest.raises(UnresolvedError, match="no releases fulfil its requirements") as raised:
        Environments(tmp_path).get(specification(*requirements))
    assert "django" in "\n".join(raised.value.log)
    assert not environments_in(tmp_path)


def test_a_secret_in_the_address_of_an_index_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, "http://somebody:hush-hush@127.0.0.1:9/simple")
    with pytest.raises(EnvironmentCreationError) as raised:
        Environments(tmp_path).get(find_specification("django-5.2", {}))
    assert "hush-hush" not in raised.value.message + "".join(raised.value.log)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentCreationError, match="make that folder writable"):
        Environments(tmp_path / "file").get(find_specification("django-5.2", {}))


def test_where_no_python_fits_it_says_what_is_needed_and_what_there_is(tmp_path: Path) -> None:
    newest = tuple(each for each in find_interpreters() if each.version >= (3, 11))
    with pytest.raises(AbsentError, match=r"needs Python 3\.6 to 3\.9, and this machine has .*3\.1\d\.\d"):
        Environments(tmp_path, find_interpreters=lambda: newest).get(find_specification("django-2.2", {}))


@pytest.mark.exhaustive
def test_one_whose_interpreter_disappeared_is_made_anew(tmp_path: Path, django52: Environment) -> None:
    cache = copy(django52, tmp_path / "cache")
    for each in cache.glob("*/*/env/bin/python*"):
        each.unlink()
    told: list[str] = []
    assert imported(
        Environments(cache, report=told.append).get(find_specification("django-5.2", {}))
    ).startswith("5.2.")
    assert told[0].startswith("making ")


def test_an_interpreter_that_conf_py_names_is_used_as_it_is(tmp_path: Path, django52: Environment) -> None:
    named = parse_environments({"mine": {"python": django52.python}}, tmp_path)
    ready = Environments(tmp_path).get(find_specification("mine", named))
    assert ready.python == django52.python
    assert ready.read_packages().distributions == django52.read_packages().distributions


def test_an_interpreter_that_disappeared_since_is_named(tmp_path: Path) -> None:
    named = parse_environments({"mine": {"python": "gone/bin/python"}}, tmp_path)
    with pytest.raises(
        AbsentError, match=r"`mine` names the interpreter .*gone/bin/python, and there is no such"
    ):
        Environments(tmp_path).get(named["mine"])


def test_an_interpreter_without_django_is_named(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    named = parse_environments({"mine": {"python": "bare/bin/python"}}, tmp_path)
    with pytest.raises(AbsentError, match=r"bare/bin/python, which has no Django; install"):
        Environments(tmp_path).get(named["mine"])


@pytest.mark.exhaustive
def test_requirements_are_made_for_the_interpreter_that_conf_py_names(tmp_path: Path) -> None:
    table = {"mine": {"python": sys.executable, "requirements": ["django~=5.2.0"]}}
    ready = Environments(tmp_path).get(parse_environments(table, tmp_path)["mine"])
    assert ready.version == ".".join(map(str, sys.version_info[:3]))
    assert imported(ready).startswith("5.2.")


def test_the_current_one_is_the_interpreter_that_builds(tmp_path: Path) -> None:
    ready = Environments(tmp_path).get(find_specification("current", {}))
    assert ready.python == sys.executable
    assert ready.read_packages().version("psutil") == psutil.__version__


def a_checkout(folder: Path, init: str) -> None:
    (folder / "django").mkdir(parents=True)
    (folder / "django/__init__.py").write_text(init)
    (folder / "pyproject.toml").write_text(
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
        "[project]\nname = 'Django'\nversion = '9.9.dev0'\nrequires-python = '>= 3.11'\n"
        "[tool.setuptools]\npackages = ['django']\n"
    )


@pytest.mark.exhaustive
def test_a_django_that_cannot_be_imported_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    a_checkout(tmp_path / "checkout", "raise ImportError('half of a merge')\n")
    named = parse_environments({"main": {"path": "checkout"}}, tmp_path)
    with pytest.raises(EnvironmentCreationError, match="a command failed") as raised:
        Environments(tmp_path / "cache").get(named["main"])
    assert "half of a merge" in raised.value.log[-1]
    assert not environments_in(tmp_path / "cache")


@pytest.mark.exhaustive
def test_a_checkout_is_imported_from_its_folder_and_its_changes_are_seen(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    a_checkout(checkout, "VERSION = (9, 9)\ndef get_version(): return '9.9.dev0'\n")
    named = parse_environments({"main": {"path": "checkout", "requirements": ["sqlparse"]}}, tmp_path)
    ready = Environments(tmp_path / "cache").get(named["main"])
    before = ready.read_packages()
    assert imported(ready) == before.version("django") == "9.9.dev0"
    assert before.version("sqlparse")
    (checkout / "django/views.py").write_text("changed = True\n")
    assert ready.read_packages().digest != before.digest
    (checkout / "django/views.py").unlink()
    assert ready.read_packages() == before


@pytest.mark.exhaustive
def test_a_file_that_was_changed_by_hand_is_seen_also_by_the_next_build(
    tmp_path: Path, django52: Environment
) -> None:
    cache = copy(django52, tmp_path / "cache")
    ready = Environments(cache).get(find_specification("django-5.2", {}))
    assert ready.read_packages() == django52.read_packages()
    with (Path(ready.folders[0]) / "django/shortcuts.py").open("a") as file:
        file.write("# by hand\n")
    assert ready.read_packages().changed
    again = Environments(cache).get(find_specification("django-5.2", {})).read_packages()
    assert again.digest == ready.read_packages().digest != django52.read_packages().digest


@pytest.mark.exhaustive
def test_a_distribution_that_was_removed_by_hand_is_seen(tmp_path: Path, django52: Environment) -> None:
    cache = copy(django52, tmp_path / "cache")
    ready = Environments(cache).get(find_specification("django-5.2", {}))
    shutil.rmtree(next(Path(ready.folders[0]).glob("sqlparse-*")))
    assert ready.read_packages().version("sqlparse") == ""
    assert ready.read_packages().digest != django52.read_packages().digest


def test_compiled_files_are_no_change(django52: Environment) -> None:
    before = django52.read_packages()
    env = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([django52.python, "-c", "import django.shortcuts"], check=True, env=env)
    assert list(Path(django52.folders[0]).glob("django/__pycache__/shortcuts.*"))
    assert django52.read_packages() == before


@pytest.mark.exhaustive
def test_contents_are_the_same_wherever_they_were_made(tmp_path: Path, django52: Environment) -> None:
    elsewhere = Environments(tmp_path).get(find_specification("django-5.2", {}))
    assert elsewhere.python != django52.python
    assert elsewhere.read_packages() == django52.read_packages()
