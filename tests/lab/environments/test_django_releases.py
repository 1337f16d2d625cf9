"""The table of Django's releases, and what names mean in it."""

import re

import pytest

from sphinx_djconn.lab.environments.django_releases import LAST_PATCH, parse_release, releases_between
from sphinx_djconn.lab.environments.python_versions import SERIES


def test_every_series_is_in_the_table_in_order():
    assert list(LAST_PATCH) == list(SERIES)


def test_a_range_has_all_final_releases_of_its_series():
    names = [each.name for each in releases_between("2.0", "2.1")]
    assert names[:3] == ["2.0", "2.0.1", "2.0.2"]
    assert names[-1] == "2.1.15"
    assert "2.0.11" not in names, "it was taken back"
    assert len(names) == 14 - 1 + 16 - 1
    assert len(releases_between("2.0", "3.2")) == 113


def test_a_range_can_begin_and_end_within_a_series():
    assert [each.name for each in releases_between("2.1.14", "2.2.1")] == ["2.1.14", "2.1.15", "2.2", "2.2.1"]


def test_the_first_release_of_a_series_is_not_its_newest():
    assert releases_between("2.1", "2.1.1")[0].environment == "django-2.1.0"
    newest = parse_release("2.1")
    assert newest is not None
    assert newest.environment == "django-2.1"
    assert newest.order > releases_between("2.1", "2.1")[-1].order


@pytest.mark.parametrize("text", ["current", "mine", "django-main", "2"])
def test_other_names_are_those_of_environments(text: str):
    assert parse_release(text) is None


@pytest.mark.parametrize("text", ["5.2.99", "6.1.4", "6.2", "6.2.1", "7.0"])
def test_a_release_that_is_newer_than_the_table_may_be_named(text: str):
    release = parse_release(text)
    assert release is not None
    assert release.environment == f"django-{text}"


def test_environments_may_be_named_as_environments():
    assert parse_release("django-2.1.4") == parse_release("2.1.4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2.0.99", "there is no Django 2.0.99: the last release of its series is 2.0.13"),
        ("2.3", "no Django 2.3 was released, or it is older than 1.11; did you mean `2.2`?"),
        ("1.8.19", "no Django 1.8 was released"),
        ("5.2rc1", "`5.2rc1` is no final release; name it in `djconn_environments`"),
    ],
)
def test_a_release_that_never_was_is_refused(text: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_release(text)


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("3.2", "2.0", "`3.2 to 2.0` goes backwards; write `2.0 to 3.2`"),
        ("2.1.4", "2.1.3", "goes backwards"),
        ("2.0", "current", "`current` is no release, and `2.0 to current` needs one on both sides"),
        ("6.0", "9.1", "`9.1` is newer than the last release in the table of sphinx_djconn, 6.1.3"),
        ("6.0", "6.1.4", "name newer ones one by one"),
    ],
)
def test_a_range_without_releases_is_refused(first: str, last: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        releases_between(first, last)
