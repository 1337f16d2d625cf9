"""Compile the tree of an expression to :class:`ExpressionPart` objects, in one pass.

This is safe because only the nodes that are listed here are accepted, and because nothing from a page is passed
to ``eval`` or ``getattr``. Each part gets its type, and a function that computes its value from the values of
the names. These may be unknown.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from sphinx_djconn.claims import logic
from sphinx_djconn.claims.errors import ExpressionError, nearest, shortened
from sphinx_djconn.claims.functions import CALLS, FUNCTIONS
from sphinx_djconn.claims.names import Names
from sphinx_djconn.claims.parser import ALLOWED, parse_tree
from sphinx_djconn.claims.parts import (
    ExpressionPart,
    Values,
    call_of,
    comparison_of,
    require_name,
    require_truth,
)
from sphinx_djconn.claims.types import NUMBERS, a_type, common_of, comparison_problem, constant_type
from sphinx_djconn.trace.types import COUNT, NUMBER, TRUTH, Kind, Type

GREATEST: Final = 10**18
"""Integer literals must be smaller."""

_SIGNS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}

_PAIR: Final = 2

_DISPLAYS: Final[dict[type[ast.AST], Kind]] = {ast.List: Kind.LIST, ast.Tuple: Kind.TUPLE, ast.Set: Kind.SET}

_REFUSED: Final[dict[type[ast.AST], str]] = {
    ast.Await: "'await'",
    ast.Dict: "a dict",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.IfExp: "'if … else'",
    ast.JoinedStr: "an f-string",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.NamedExpr: "an assignment",
    ast.SetComp: "a comprehension",
    ast.Starred: "'*' before a value",
    ast.Subscript: "a subscript",
    ast.Yield: "'yield'",
    ast.YieldFrom: "'yield'",
    ast.BitAnd: "'&'",
    ast.BitOr: "'|'",
    ast.BitXor: "'^'",
    ast.LShift: "'<<'",
    ast.RShift: "'>>'",
    ast.MatMult: "'@'",
    ast.Pow: "'**'",
    ast.Invert: "'~'",
    ast.UAdd: "'+' as a sign",
}

_INSTEAD: Final[dict[type[ast.AST], str]] = {
    ast.BitAnd: "write 'and'",
    ast.BitOr: "write 'or'",
    ast.Invert: "write 'not'",
}


def compile_expression(text: str, names: Names) -> ExpressionPart:
    """Return the expression ``text``, which is on one line.

    Raises :class:`ExpressionError` if it is not an expression, has a name that is not in ``names``, or compares
    types that do not fit together.
    """
    tree = parse_tree(text)
    return _Compiler(text, names).part(tree)


class _Compiler:
    def __init__(self, text: str, names: Names) -> None:
        self._text = text
        self._bytes = text.encode()
        self._names = names
        self._compilers: Final[dict[type[ast.AST], Callable[[Any], ExpressionPart]]] = {
            ast.Attribute: self._name,
            ast.BinOp: self._arithmetic,
            ast.BoolOp: self._logic,
            ast.Call: self._call,
            ast.Compare: self._comparison,
            ast.Constant: self._literal,
            ast.List: self._display,
            ast.Name: self._name,
            ast.Set: self._display,
            ast.Subscript: self._name,
            ast.Tuple: self._display,
            ast.UnaryOp: self._unary,
        }

    def part(self, tree: ast.expr) -> ExpressionPart:
        compile_ = self._compilers.get(type(tree))
        if compile_ is None:
            raise self._refused(tree, tree)
        return compile_(tree)

    def _part(
        self, tree: ast.expr, type_: Type, value: Callable[[Values], Any], *parts: ExpressionPart, **more: Any
    ) -> ExpressionPart:
        return ExpressionPart(self._source(tree), self._column(tree), type_, value, parts, **more)

    def _column(self, tree: ast.expr) -> int:
        return len(self._bytes[: tree.col_offset].decode())

    def _source(self, tree: ast.expr) -> str:
        return self._bytes[tree.col_offset : tree.end_col_offset].decode()

    def _wrong(self, tree: ast.expr, message: str, hint: str) -> ExpressionError:
        return ExpressionError(message, hint, self._text, self._column(tree))

    def _refused(self, tree: ast.expr, what: ast.AST) -> ExpressionError:
        shown = shortened(self._source(tree))
        name = _REFUSED.get(type(what), "this")
        hint = _INSTEAD.get(type(what), ALLOWED)
        return self._wrong(tree, f"{name} is not allowed in an expression: `{shown}`", hint)

    def _literal(self, tree: ast.Constant) -> ExpressionPart:
        constant = tree.value
        if not (constant is None or isinstance(constant, (int, float, str))):
            raise self._refused(tree, tree)
        if isinstance(constant, int) and constant >= GREATEST:
            raise self._wrong(
                tree,
                f"the number {shortened(str(constant))} is too large",
                "write one below 10 ** 18",
            )
        value = logic.NULL if constant is None else constant
        return self._part(tree, constant_type(constant), lambda _: value, constant=constant)

    def _name(self, tree: ast.Name | ast.Attribute | ast.Subscript) -> ExpressionPart:
        parts, inner = _dotted(tree)
        match inner:
            case ast.Name(id=first) if first in FUNCTIONS:
                raise self._wrong(inner, f"'{first}' is a function", f"call it, as in `{first}(…)`")
            case ast.Name(id=first):
                with self._errors_at(tree):
                    name = self._names.name((first, *parts))
            case ast.Subscript(value=ast.Name(id=group), slice=ast.Constant(value=str(alias))):
                with self._errors_at(tree):
                    name = self._names.alias_name(group, alias, parts)
            case _ if isinstance(tree, ast.Subscript):
                raise self._refused(tree, tree)
            case _:
                shown = shortened(self._source(tree))
                raise self._wrong(
                    tree, f"`{shown}` is not a fact", "write a dot only within the name of a fact"
                )
        return self._part(tree, name.type, lambda values: values[name.text], name=name)

    def _display(self, tree: ast.List | ast.Tuple | ast.Set) -> ExpressionPart:
        kind = _DISPLAYS[type(tree)]
        parts = tuple(map(self.part, tree.elts))
        items = tuple(part.type for part in parts)
        shown = shortened(self._source(tree))
        if kind is not Kind.TUPLE:
            one = common_of(items)
            if one is None:
                kinds = " and ".join(dict.fromkeys(map(a_type, items)))
                raise self._wrong(tree, f"`{shown}` holds {kinds}", "write values of one type")
            items = (one,)
        if kind is Kind.SET and any(item.items for item in items):
            raise self._wrong(tree, f"`{shown}` is a set of lists", "write […] for {…}")
        made: Callable[[Iterable[Any]], Any] = logic.Distinct if kind is Kind.SET else tuple
        return self._part(
            tree, Type(kind, items), lambda values: made(part.value(values) for part in parts), *parts
        )

    def _unary(self, tree: ast.UnaryOp) -> ExpressionPart:
        if isinstance(tree.op, ast.Not):
            truth = self.part(tree.operand)
            require_truth(self._text, truth)
            return self._part(
                tree, TRUTH, lambda values: logic.negation(truth.truth(values)), truth, sign="not"
            )
        if isinstance(tree.op, ast.USub):
            number = self.part(tree.operand)
            self._require_numbers(tree, number)
            value = call_of(self._source(tree), lambda positive: logic.compute("-", 0, positive), number)
            return self._part(tree, NUMBER, value, number, sign="-")
        raise self._refused(tree, tree.op)

    def _logic(self, tree: ast.BoolOp) -> ExpressionPart:
        parts = tuple(map(self.part, tree.values))
        for part in parts:
            require_name(self._text, part, self._names)
            require_truth(self._text, part)
        word, combine = (
            ("and", logic.conjunction) if isinstance(tree.op, ast.And) else ("or", logic.disjunction)
        )
        return self._part(
            tree, TRUTH, lambda values: combine(part.truth(values) for part in parts), *parts, sign=word
        )

    def _arithmetic(self, tree: ast.BinOp) -> ExpressionPart:
        sign = _SIGNS.get(type(tree.op))
        if sign is None:
            raise self._refused(tree, tree.op)
        parts = (self.part(tree.left), self.part(tree.right))
        self._require_numbers(tree, *parts)
        value = call_of(self._source(tree), lambda left, right: logic.compute(sign, left, right), *parts)
        is_count = Kind.COUNT in {part.type.kind for part in parts}
        return self._part(tree, COUNT if is_count else NUMBER, value, *parts, sign=sign)

    def _require_numbers(self, tree: ast.expr, *parts: ExpressionPart) -> None:
        kinds = " and ".join(dict.fromkeys(a_type(part.type) for part in parts))
        if (
            not all(part.type.kind in NUMBERS for part in parts)
            or common_of([each.type for each in parts]) is None
        ):
            shown = shortened(self._source(tree))
            raise self._wrong(
                tree, f"`{shown}` calculates with {kinds}", "calculate with counts and numbers alone"
            )

    def _comparison(self, tree: ast.Compare) -> ExpressionPart:
        operands = [self.part(operand) for operand in (tree.left, *tree.comparators)]
        signs = [_SIGNS[type(sign)] for sign in tree.ops]
        for sign, right in zip(signs, tree.comparators, strict=True):
            if sign in {"is", "is not"} and not (isinstance(right, ast.Constant) and right.value is None):
                instead = "==" if sign == "is" else "!="
                shown = shortened(self._source(tree))
                raise self._wrong(tree, f"'{sign}' compares with None alone: `{shown}`", f"use '{instead}'")
        pairs = tuple(
            self._pair(sign, left, right)
            for sign, left, right in zip(signs, operands, operands[1:], strict=False)
        )
        if len(pairs) == 1:
            return replace(pairs[0], text=self._source(tree), column=self._column(tree))
        return self._part(
            tree, TRUTH, lambda values: logic.conjunction(pair.value(values) for pair in pairs), *pairs
        )

    def _pair(self, sign: str, left: ExpressionPart, right: ExpressionPart) -> ExpressionPart:
        problem = comparison_problem(sign, left, right, none_is_value=self._names.none_is_value)
        if problem is not None:
            wrong = left if left.is_constant and not right.is_constant else right
            raise ExpressionError(*problem, self._text, wrong.column)
        return comparison_of(sign, left, right)

    def _call(self, tree: ast.Call) -> ExpressionPart:
        if not isinstance(tree.func, ast.Name):
            shown = shortened(self._source(tree.func))
            raise self._wrong(tree, f"`{shown}` cannot be called", ALLOWED)
        name = tree.func.id
        if name not in FUNCTIONS:
            raise self._wrong(tree, f"no function '{name}'", nearest(name, FUNCTIONS, kind="functions"))
        if tree.keywords:
            hint = "write the values alone, as in `max(1, 2)`"
            raise self._wrong(tree, f"'{name}' takes no keyword arguments", hint)
        if name == "overlap":
            return self._overlap(tree)
        function = CALLS[name]
        parts = tuple(map(self.part, tree.args))
        if len(parts) < function.least or (function.greatest is not None and len(parts) > function.greatest):
            raise self._wrong(
                tree, f"'{name}' is given {len(parts)} values", f"write it as in `{name}(statuses)`"
            )
        with self._errors_at(tree):
            type_ = function.type(name, parts)
        return self._part(tree, type_, call_of(self._source(tree), function.value, *parts), *parts, sign=name)

    def _overlap(self, tree: ast.Call) -> ExpressionPart:
        operands = []
        for argument in tree.args:
            parts, inner = _dotted(argument)
            if isinstance(inner, ast.Name):
                operands.append((inner.id, *parts))
        if len(operands) != len(tree.args) or len(set(operands)) != len(operands) or len(operands) != _PAIR:
            shown = shortened(self._source(tree))
            hint = "write two different labels, as in `overlap(first, second)`"
            raise self._wrong(tree, f"`{shown}` does not name two requests", hint)
        with self._errors_at(tree):
            name = self._names.overlap(*operands)
        return self._part(tree, TRUTH, lambda values: values[name.text], name=name)

    @contextmanager
    def _errors_at(self, tree: ast.expr) -> Iterator[None]:
        """Add the text and the column of ``tree`` to errors."""
        try:
            yield
        except ExpressionError as error:
            raise self._wrong(tree, error.message, error.hint) from error


def _dotted(tree: ast.expr) -> tuple[tuple[str, ...], ast.expr]:
    """Return the attributes of a dotted name, and the node before the first dot."""
    parts: list[str] = []
    while isinstance(tree, ast.Attribute):
        parts.insert(0, tree.attr)
        tree = tree.value
    return tuple(parts), tree
