"""Values that several threads need are created once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sphinx_djconn.lab.databases.once import OncePerKey
from sphinx_djconn.lab.errors import Cancelled, PreparationError


def test_threads_that_ask_at_once_get_the_same_value() -> None:
    values: OncePerKey[object] = OncePerKey()
    barrier = threading.Barrier(4)

    def get(_: int) -> object:
        barrier.wait(10)
        return values.get("key", object)

    with ThreadPoolExecutor(4) as executor:
        assert len(set(executor.map(get, range(4)))) == 1
    assert values.get("other", object) is not values.get("key", object)


def test_a_failed_preparation_is_not_repeated() -> None:
    values: OncePerKey[int] = OncePerKey()
    calls = []

    def fail() -> int:
        calls.append(1)
        raise PreparationError("no")

    for _ in range(2):
        with pytest.raises(PreparationError, match="no"):
            values.get("key", fail)
    assert len(calls) == 1


def test_the_next_caller_tries_again_after_another_error() -> None:
    values: OncePerKey[int] = OncePerKey()

    def cancelled() -> int:
        raise Cancelled

    with pytest.raises(Cancelled):
        values.get("key", cancelled)
    assert values.get("key", lambda: 1) == 1
