"""How values look to readers."""

import math
from typing import Any

import pytest

from sphinx_djconn.claims.figures import Possible, figure_text, value_text
from sphinx_djconn.trace.unknown import Unknown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (6, "6"),
        (-1, "-1"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (math.inf, "inf"),
        ("T1", "T1"),
        ("two words", "two words"),
        ("", '""'),
        (" padded", '" padded"'),
        ("two\nlines", '"two\\nlines"'),
        ("\ud800", '"\\ud800"'),
        ("é", "é"),
        ([], "empty"),
        ((), "empty"),
        (set(), "empty"),
        (Unknown("nobody saw it"), "not known"),
        (Possible((7, 2, 4)), "2 to 7"),
        (Possible((True, False)), "false or true"),
        ([200] * 6, "200 × 6"),
        ([200] * 5 + [500], "200 × 5, 500"),
        ([200, 500, 200], "200, 500, 200"),
        ([None, True, "a"], "none, true, a"),
        ([1, True, 1.0], "1, true, 1.0"),
        (("end of request", "age"), "end of request, age"),
        ({302, 200}, "200, 302"),
        ({"T2", "T1"}, "T1, T2"),
        ({}, "{}"),
        ({"user": {"name": "é"}, "n": [1]}, '{"user":{"name":"é"},"n":[1]}'),
        ([[1, 2], {"a": None}], '[[1,2],{"a":null}]'),
        ({"a": "\u2028"}, '{"a":"\\u2028"}'),
        ({"a": "\ud800"}, '{"a":"\\ud800"}'),
        ([{1}], '["{1}"]'),
    ],
)
def test_a_value_is_one_short_line(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_json_is_cut_after_sixty_characters() -> None:
    text = value_text({"rows": list(range(1000))})
    assert len(text) == 60
    assert text.startswith('{"rows":[0,1,2')
    assert text.endswith("…")


def test_a_long_text_is_cut_after_sixty_characters() -> None:
    assert value_text("x" * 61) == "x" * 59 + "…"
    assert value_text("x" * 60) == "x" * 60


def test_a_long_list_tells_how_many_values_it_hides() -> None:
    assert value_text([200, *range(500, 600)]).endswith("510, … (89 more)")


def test_json_nested_deeper_than_python_follows_is_still_a_value() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert value_text(deep) == "…"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([6], "6"),
        ([6, 6, 6], "6"),
        ([5, 6, 5], "5–6 in 3 runs"),
        ([6, 5, 7], "5–7 in 3 runs"),
        ([0.5, 1, 2], "0.5–2 in 3 runs"),
        (["T1", "T1"], "T1"),
        (["T2", "T1", "T2"], "T1 or T2 in 3 runs"),
        ([None, "C1"], "C1 or none in 2 runs"),
        ([None, 3], "3 or none in 2 runs"),
        ([True, False], "false or true in 2 runs"),
        ([1, True], "1 or true in 2 runs"),
        ([[200, 200], [200, 500]], "200 × 2 or 200, 500 in 2 runs"),
        ([], "none"),
        ([[], [200]], "200 or empty in 2 runs"),
        ([None, []], "empty or none in 2 runs"),
        ([6, Unknown("nobody saw it")], "6 or not known in 2 runs"),
        ([Possible((2, 7)), Possible((2, 7))], "2 to 7"),
        ([3, Possible((2, 7))], "2 to 7 or 3 in 2 runs"),
    ],
)
def test_a_figure_shows_what_differs_between_runs(values: list[Any], text: str) -> None:
    assert figure_text(values) == text


def test_values_that_differ_only_where_they_are_cut_still_differ() -> None:
    assert figure_text(["x" * 70, "x" * 71]).endswith(" in 2 runs")
