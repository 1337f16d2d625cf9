"""Values are what frozen data classes are."""

import pickle
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace
from typing import Any

import pytest

from sphinx_djconn.values import value


@value
class Point:
    x: int
    y: int = 0
    marks: list[str] = field(default_factory=list)
    line: int = field(default=0, compare=False)


@value
class Other:
    x: int
    y: int = 0


def test_fields_are_given_by_place_or_by_name_or_have_a_default() -> None:
    point = Point(1, y=2)
    assert (point.x, point.y, point.marks, point.line) == (1, 2, [], 0)
    assert Point(1).marks is not Point(1).marks


@pytest.mark.parametrize(
    ("args", "given", "told"),
    [
        ((), {}, "Point needs 'x'"),
        ((1, 2, [], 3, 4), {}, "Point takes 4 values, and 5 were given"),
        ((1,), {"x": 2}, "Point was given 'x' twice"),
        ((1,), {"z": 2, "w": 3}, "Point has no 'z', 'w'"),
    ],
)
def test_what_does_not_fit_the_fields_is_refused(args: Any, given: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        Point(*args, **given)


def test_values_are_equal_by_the_fields_that_are_compared_within_their_class() -> None:
    assert Point(1, line=3) == Point(1, line=4)
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert Other(1) != (1, 0)


def test_equal_values_have_one_hash() -> None:
    assert len({Other(1), Other(1, 0), Other(2)}) == 2


def test_a_value_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    assert point == Point(1)


def test_a_value_is_a_data_class_to_others() -> None:
    assert is_dataclass(Point)
    assert [each.name for each in fields(Point)] == ["x", "y", "marks", "line"]
    assert replace(Point(1, line=3), y=5) == Point(1, 5)
    assert repr(Point(1)) == "Point(x=1, y=0, marks=[], line=0)"
    match Point(1, 2):
        case Point(x, y=2):
            assert x == 1
        case _:
            pytest.fail("a pattern of its class did not match")


def test_a_value_comes_through_pickle_whole() -> None:
    point = pickle.loads(pickle.dumps(Point(1, marks=["a"], line=7)))
    assert (point, point.line) == (Point(1, marks=["a"]), 7)
