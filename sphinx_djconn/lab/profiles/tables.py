"""Checks that the readers of all profiles share: the values of conf.py are tables of profiles by name."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.limits import MAX_TIMEOUT


def tables(variable: str, value: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield name and table of each profile in ``value``, which is the variable ``variable`` of conf.py.

    Raises :class:`ProfileError` if it is not a dictionary of dictionaries.
    """
    if not isinstance(value, Mapping):
        raise ProfileError(f"{variable} must be a dictionary of profiles by name")
    for name, table in value.items():
        if not isinstance(table, Mapping):
            raise ProfileError(f"{variable}[{name!r}] must be a dictionary")
        yield str(name), table


def check_keys(variable: str, table: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Raise :class:`ProfileError` if ``table`` has a key that is not ``allowed``."""
    for key in table:
        if key not in allowed:
            raise ProfileError(f"{variable}: unknown key `{key}`. Known: {', '.join(sorted(allowed))}")


def are_strings(values: Iterable[object]) -> bool:
    """Return whether all ``values`` are strings."""
    return all(isinstance(value, str) for value in values)


def is_string_table(value: object) -> TypeGuard[Mapping[str, str]]:
    """Return whether ``value`` is a dictionary of strings."""
    return isinstance(value, Mapping) and are_strings([*value, *value.values()])


def is_string_list(value: object) -> TypeGuard[Sequence[str]]:
    """Return whether ``value`` is a list or tuple of strings."""
    return isinstance(value, (list, tuple)) and are_strings(value)


def is_timeout(value: object) -> bool:
    """Return whether ``value`` is a number of seconds that a limit can have."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_TIMEOUT
