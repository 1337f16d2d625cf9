"""Which types fit together in an expression, and the messages if two of them do not."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sphinx_djconn.claims.errors import shortened
from sphinx_djconn.trace.types import ANY, IDENTITIES, Kind, Type

NUMBERS: Final = frozenset({Kind.COUNT, Kind.STATUS, Kind.NUMBER, Kind.JSON})
"""Kinds that arithmetic accepts. A number fits counts and statuses, but these two do not fit each other."""

_NUMBERS_ALONE: Final = NUMBERS - {Kind.JSON}
_ORDERED: Final = NUMBERS | {Kind.TEXT}
_ITEMS: Final = frozenset({Kind.LIST, Kind.SET})


class Typed(Protocol):
    """A part of an expression, with what messages need.

    ``peer`` is the name of the same fact of another request, or empty.
    """

    @property
    def text(self) -> str: ...  # noqa: D102

    @property
    def type(self) -> Type: ...  # noqa: D102

    @property
    def is_constant(self) -> bool: ...  # noqa: D102

    @property
    def peer(self) -> str: ...  # noqa: D102


def common(left: Type, right: Type) -> Type | None:
    """Return the common type of both, or None if they do not fit together."""
    type_ = _common_required(left.required, right.required)
    if type_ is not None and (left.is_optional or right.is_optional or Kind.NONE in (left.kind, right.kind)):
        return type_.optional
    return type_


def _common_required(left: Type, right: Type) -> Type | None:
    kinds = {left.kind, right.kind}
    for one, other in ((left, right), (right, left)):
        if one.kind in (Kind.ANY, Kind.NONE):
            return other
        if one.kind is Kind.JSON:
            return one if _may_be_json(other) else None
    if len(kinds) == 1:
        return _common_container(left, right) if left.items else left
    if kinds in ({Kind.NUMBER, Kind.COUNT}, {Kind.NUMBER, Kind.STATUS}):
        return right if left.kind is Kind.NUMBER else left
    return None


def _may_be_json(type_: Type) -> bool:
    """Return whether a value of the type can be part of a response's JSON, or be equal to a part of it."""
    if type_.kind in IDENTITIES or type_.kind is Kind.SET:
        return False
    return all(map(_may_be_json, type_.items))


def _common_container(left: Type, right: Type) -> Type | None:
    if len(left.items) != len(right.items):
        return None
    items = [common(one, other) for one, other in zip(left.items, right.items, strict=True)]
    common_items = tuple(item for item in items if item is not None)
    return Type(left.kind, common_items) if len(common_items) == len(items) else None


def common_of(types: Sequence[Type]) -> Type | None:
    """Return the common type of all ``types``, or None if they do not fit together."""
    result = ANY
    for type_ in types:
        both = common(result, type_)
        if both is None:
            return None
        result = both
    return result


def is_ordered(type_: Type) -> bool:
    """Return whether values of the type can be compared with ``<``."""
    return type_.kind in _ORDERED


def items_of(type_: Type) -> Type | None:
    """Return the type of the items of a list, set or tuple; None if they have none in common."""
    if type_.kind is Kind.JSON:
        return type_
    return common_of(type_.items) if type_.items or type_.kind is Kind.TUPLE else None


def comparison_problem(
    sign: str, left: Typed, right: Typed, *, none_is_value: bool = False
) -> tuple[str, str] | None:
    """Return the message and the hint if ``left`` and ``right`` cannot be compared; None if they can.

    ``none_is_value`` allows ``==`` and ``in`` with None.
    """
    if sign in ("is", "is not"):
        return _never_none(sign, left)
    if not none_is_value and Kind.NONE in (left.type.kind, right.type.kind):
        return _none_problem(sign, left, right)
    if sign in ("in", "not in"):
        return _membership_problem(sign, left, right)
    fit = common(left.type, right.type)
    if fit is None:
        return _mismatch(sign, left, right)
    has_order = sign in ("==", "!=") or is_ordered(fit) or fit.kind is Kind.SET
    return None if has_order else _order_problem(sign, left, right)


def _none_problem(sign: str, left: Typed, right: Typed) -> tuple[str, str]:
    other = right if left.type.kind is Kind.NONE else left
    message = f"`{_pair(sign, left, right)}` compares with None, which '{sign}' does not do"
    written = "is not" if sign in ("!=", "not in") else "is"
    if other.type.items:
        return message, f"write `… {written} None` for each value of {a_type(other.type)}"
    return _never_none(written, other) or (message, f"write `{shortened(other.text)} {written} None`")


def _never_none(sign: str, part: Typed) -> tuple[str, str] | None:
    if part.type.is_optional or part.type.kind in (Kind.JSON, Kind.NONE):
        return None
    return (
        f"`{shortened(part.text)} {sign} None` asks for None, and {a_type(part.type)} is never None",
        f"remove it, or compare the value, as in `{example(part)}`",
    )


def _membership_problem(sign: str, left: Typed, right: Typed) -> tuple[str, str] | None:
    match right.type.kind:
        case Kind.LIST | Kind.SET | Kind.TUPLE:
            other = next((item for item in right.type.items if common(left.type, item) is None), None)
            if other is None:
                return None
            message, hint = _mismatch(sign, left, right)
            return (
                message,
                hint if right.type.kind is not Kind.TUPLE else f"{a_type(other)} is never {a_type(left.type)}",
            )
        case Kind.JSON:
            return None if _may_be_json(left.type) else _mismatch(sign, left, right)
        case Kind.TEXT:
            fits = left.type.kind in (Kind.TEXT, Kind.JSON)
            return None if fits else _mismatch(sign, left, right)
    hint = "write a list after it, as in `200 in statuses`"
    if common(left.type, right.type) is not None:
        hint = f"write `{_pair('==' if sign == 'in' else '!=', right, left)}`"
    return f"`{_pair(sign, left, right)}` looks into {a_type(right.type)}, and '{sign}' needs a list", hint


def _order_problem(sign: str, left: Typed, right: Typed) -> tuple[str, str]:
    kind = left.type.kind
    what = f"{a_type(left.type)}" if left.type.items else f"two {left.type.plural}"
    if kind in IDENTITIES:
        hint = f"one can only ask whether two {left.type.plural} are the same: write '==', '!=' or 'in'"
    elif kind is Kind.TRUTH:
        hint = f"write `{shortened(left.text)}` alone, or with 'and', 'or' and 'not'"
    else:
        hint = f"compare its length, as in `len({shortened(left.text)}) {sign} 1`"
    return f"`{_pair(sign, left, right)}` puts {what} in order, and they have none", hint


def _mismatch(sign: str, left: Typed, right: Typed) -> tuple[str, str]:
    verb = "compares" if sign not in ("in", "not in") else "looks for"
    preposition = "with" if verb == "compares" else "in"
    message = f"`{_pair(sign, left, right)}` {verb} {a_type(left.type)} {preposition} {a_type(right.type)}"
    return message, _advice(sign, left, right)


def _advice(sign: str, left: Typed, right: Typed) -> str:
    """Return what to write for a comparison of two types that do not fit together."""
    for one, other in ((left, right), (right, left)):
        advice = _scalar_advice(one, other) or _container_advice(sign, one, other)
        if advice:
            return advice
    return f"write {a_type(left.type)} on both sides"


def _scalar_advice(one: Typed, other: Typed) -> str:
    kind = _innermost(one.type)
    if kind in IDENTITIES:
        shown = f", as in `{one.text} == {one.peer}`" if one.peer else ""
        return f"compare the {Type(kind).plural} of two requests{shown}"
    if kind in _NUMBERS_ALONE and _innermost(other.type) is Kind.TEXT:
        number = other.text.strip("\"'")
        if other.is_constant and _is_number(number):
            return f"write {number} without quotes"
        return "write numbers, without quotes"
    if kind is Kind.COUNT and other.type.kind is Kind.STATUS:
        return "a count says how many, a status is a code such as 200: compare each with a number"
    if one.type.kind is Kind.TRUTH and not one.is_constant and other.type.kind is not Kind.LIST:
        return f"write `{shortened(one.text)}` or `not {shortened(one.text)}` alone"
    return ""


def _container_advice(sign: str, one: Typed, other: Typed) -> str:
    one_text, other_text = shortened(one.text), shortened(other.text)
    if one.type.kind in _ITEMS and not other.type.items and sign in ("==", "!="):
        inside = "in" if sign == "==" else "not in"
        whole = f"{one_text} {sign} [{other_text}]"
        return f"write `{other_text} {inside} {one_text}`, or a list of all its items: `{whole}`"
    if one.type.kind is Kind.SET and other.type.kind is Kind.LIST:
        return f"write `set({other_text})` for the different values of the list"
    if one.type.kind is Kind.TUPLE and other.type.kind is Kind.LIST:
        return "write […] for (…): a tuple holds a fixed number of values, each with a type of its own"
    return ""


def _innermost(type_: Type) -> Kind:
    while type_.items:
        type_ = type_.items[0]
    return type_.kind


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


def _pair(sign: str, left: Typed, right: Typed) -> str:
    return f"{shortened(left.text)} {sign} {shortened(right.text)}"


def a_type(type_: Type) -> str:
    """Return the name of the type with its article, without "or None"."""
    name = str(type_.required)
    if type_.kind in (Kind.JSON, Kind.NONE):
        return name
    if type_.kind in _ITEMS and type_.items == (ANY,):
        return f"an empty {type_.kind}"
    return f"{'an' if name.startswith('HTTP') else 'a'} {name}"


def example(part: Typed) -> str:
    """Return an example of an expression that compares ``part`` with a value of its type."""
    text, kind = shortened(part.text), part.type.kind
    if kind in IDENTITIES and part.peer:
        return f"{text} == {part.peer}"
    if kind is Kind.JSON and part.text.endswith(".json"):
        return f"{text}.key == 1"
    return _EXAMPLES.get(kind, "{text} == 1").format(text=text)


_EXAMPLES: Final = {
    Kind.TEXT: "{text} == 'text'",
    Kind.STATUS: "{text} == 200",
    Kind.LIST: "len({text}) == 1",
    Kind.SET: "len({text}) == 1",
    Kind.TUPLE: "len({text}) == 1",
    Kind.NONE: "first.db_connection is None",
}


def constant_type(value: Any) -> Type:
    """Return the type of a literal."""
    match value:
        case None:
            return Type(Kind.NONE)
        case bool():
            return Type(Kind.TRUTH)
        case str():
            return Type(Kind.TEXT)
    return Type(Kind.NUMBER)
