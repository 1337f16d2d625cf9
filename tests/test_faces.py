"""Every name that a room has for others can be had from its face."""

import importlib
from typing import Literal, get_origin

import pytest


@pytest.mark.parametrize("room", ["claims", "evidence", "lab", "scenario", "trace"])
def test_a_room_has_what_its_face_names(room: str) -> None:
    face = importlib.import_module(f"sphinx_djconn.{room}")
    assert face.__all__
    for name in face.__all__:
        found = getattr(face, name)
        if get_origin(found) is not Literal:  # which has no name of its own
            assert getattr(found, "__name__", name).endswith(name)


def test_a_name_that_a_room_does_not_have_is_an_error_as_of_any_module() -> None:
    face = importlib.import_module("sphinx_djconn.claims")
    with pytest.raises(AttributeError, match=r"module 'sphinx_djconn\.claims' has no attribute 'prse'"):
        _ = face.prse
