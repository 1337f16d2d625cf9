"""What conf.py may say of environments, and what it is told where it is wrong."""

import re
import sys
from pathlib import Path

import pytest

from sphinx_djconn.lab.environments.cache import default_folder
from sphinx_djconn.lab.environments.specification import Specification, find_specification, parse_environments
from sphinx_djconn.lab.errors import ProfileError


def test_built_in_names_are_of_a_series_or_of_a_release() -> None:
    assert find_specification("django-4.2", {}).requirements == ("django~=4.2.0",)
    assert find_specification("django-2.1.4", {}).requirements == ("django==2.1.4",)
    assert find_specification("django-9.1", {}).requirements == ("django~=9.1.0",)
    assert find_specification("current", {}) == Specification("current", python=sys.executable)
    assert not find_specification("current", {}).needs_creation


def test_a_name_of_conf_py_goes_before_a_built_in_one(tmp_path: Path) -> None:
    named = parse_environments({"django-4.2": ["django==4.2.1", "gunicorn"]}, tmp_path)
    assert find_specification("django-4.2", named).requirements == ("django==4.2.1", "gunicorn")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("django-4.3", r"no Django 4\.3 was released.*did you mean `django-4\.\d`\?"),
        ("django-1.8", r"older than 1\.11; did you mean `django-1\.11`\?"),
        ("djnago-4.2", r"unknown environment `djnago-4\.2`; did you mean `django-4\.2`\?"),
        ("min", r"unknown environment `min`; did you mean `mine`\?"),
        ("curent", r"did you mean `current`\?"),
        ("", r"unknown environment ``\. Known: mine, current, django-1\.11"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        find_specification(name, parse_environments({"mine": ["django"]}, tmp_path))


def test_paths_are_seen_from_conf_py_and_links_are_kept(tmp_path: Path) -> None:
    (tmp_path / "env").symlink_to("/usr/bin")
    assert parse_environments({"mine": {"python": "env/python3"}}, tmp_path)["mine"].python == str(
        tmp_path / "env/python3"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "must be a list of requirements"),
        ({}, "must be a list of requirements"),
        ([], "must be a list of requirements"),
        ("django", "must be a list of requirements"),
        ([5], "must be a list of strings"),
        (["django=4.2"], "`django=4.2` is no requirement"),
        (["-r requirements.txt"], "`-r requirements.txt` is no requirement"),
        (["gunicorn"], "no Django is among the requirements gunicorn; add one"),
        ({"pyhton": "x"}, "there is no 'pyhton'; did you mean 'python'?"),
        ({"python": 3.12}, "'python' must be a path, and is 3.12"),
        ({"path": "nowhere"}, "nowhere is no checkout of Django: it has no django/__init__.py"),
    ],
)
def test_what_is_wrong_in_conf_py_is_named_with_its_place(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(said)) as raised:
        parse_environments({"mine": value}, tmp_path)
    assert raised.value.message.startswith("djconn_environments['mine'] in conf.py")


def test_the_table_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="must be a table of names"):
        parse_environments(["django"], tmp_path)
    with pytest.raises(ProfileError, match="choose another name"):
        parse_environments({"current": ["django"]}, tmp_path)


def test_a_checkout_takes_the_place_of_a_release(tmp_path: Path) -> None:
    (tmp_path / "main/django").mkdir(parents=True)
    (tmp_path / "main/django/__init__.py").touch()
    found = parse_environments({"main": {"path": "main", "requirements": ["gunicorn"]}}, tmp_path)["main"]
    assert (found.checkout, found.django) == (str(tmp_path / "main"), None)
    with pytest.raises(ProfileError, match="leave one out"):
        parse_environments({"main": {"path": "main", "requirements": ["Django"]}}, tmp_path)


def test_more_requirements_leave_those_of_conf_py_as_they_are() -> None:
    ours = Specification("mine", ("django~=4.2.0", "Gunicorn<22"))
    assert ours.with_requirements(["gunicorn>=25", "psycopg[binary]"]).requirements == (
        *ours.requirements,
        "psycopg[binary]",
    )
    assert find_specification("current", {}).with_requirements(["gunicorn"]) == find_specification(
        "current", {}
    )


def test_the_cache_is_in_the_users_folder_for_caches() -> None:
    assert default_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/sphinx_djconn/environments")
    relative = default_folder({"XDG_CACHE_HOME": "c", "HOME": "/h"})
    assert relative.is_relative_to("/h"), "the XDG specification has relative paths ignored"
