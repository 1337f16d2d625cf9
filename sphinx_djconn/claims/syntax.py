"""From Python's tree to ours: a whitelist takes what it knows and refuses the rest."""

import ast
from collections.abc import Callable
from typing import Any, Final

from sphinx_djconn.claims.errors import ExpressionError, nearest, shortened
from sphinx_djconn.claims.nodes import Figure, Literal, Node, Overlap
from sphinx_djconn.claims.operations import (
    CALLS,
    FUNCTIONS,
    Arithmetic,
    Call,
    Collection,
    Comparison,
    Display,
    Logic,
    Negative,
    Not,
)
from sphinx_djconn.claims.parser import ALLOWED, parsed

GREATEST: Final = 10**18
"""Integers are below this."""

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
    ast.And: "and",
    ast.Or: "or",
}

_DISPLAYS: Final[dict[type[ast.AST], Collection]] = {
    ast.List: list,
    ast.Tuple: tuple,
    ast.Set: set,
}

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


def read(text: str) -> Node:
    """Return the tree of ``text``, which is on one line; raise :class:`ExpressionError`."""
    tree = parsed(text)
    return _Reader(text).node(tree)


class _Reader:
    """Turns the parser's tree into ours."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._bytes = text.encode()
        self._readers: dict[type[ast.AST], Callable[[Any], Node]] = {
            ast.Attribute: self._figure,
            ast.BinOp: self._arithmetic,
            ast.BoolOp: self._logic,
            ast.Call: self._call,
            ast.Compare: self._comparison,
            ast.Constant: self._literal,
            ast.List: self._display,
            ast.Name: self._figure,
            ast.Set: self._display,
            ast.Tuple: self._display,
            ast.UnaryOp: self._unary,
        }

    def node(self, tree: ast.expr) -> Node:
        reader = self._readers.get(type(tree))
        if reader is None:
            raise self._refused(tree, tree)
        return reader(tree)

    def _column(self, tree: ast.expr) -> int:
        return len(self._bytes[: tree.col_offset].decode())

    def _place(self, tree: ast.expr) -> dict[str, Any]:
        text = self._bytes[tree.col_offset : tree.end_col_offset].decode()
        return {"text": text, "column": self._column(tree)}

    def _wrong(self, tree: ast.expr, message: str, hint: str) -> ExpressionError:
        return ExpressionError(message, hint, self._text, self._column(tree))

    def _refused(self, tree: ast.expr, what: ast.AST) -> ExpressionError:
        shown = shortened(self._place(tree)["text"])
        name = _REFUSED.get(type(what), "this")
        hint = _INSTEAD.get(type(what), ALLOWED)
        return self._wrong(tree, f"{name} is not allowed in an expression: `{shown}`", hint)

    def _figure(self, tree: ast.Attribute | ast.Name) -> Figure:
        parts: list[str] = []
        inner: ast.expr = tree
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            shown = shortened(self._place(tree)["text"])
            raise self._wrong(tree, f"`{shown}` is no fact", "write a dot only within the name of a fact")
        if inner.id in FUNCTIONS:
            raise self._wrong(inner, f"'{inner.id}' is a function", f"call it, as in `{inner.id}(…)`")
        return Figure((inner.id, *parts), **self._place(tree))

    def _literal(self, tree: ast.Constant) -> Literal:
        constant = tree.value
        if not (constant is None or isinstance(constant, (int, float, str))):
            raise self._refused(tree, tree)
        if isinstance(constant, int) and constant >= GREATEST:
            raise self._wrong(
                tree,
                f"the number {shortened(str(constant))} is too great",
                "write one below 10 ** 18",
            )
        return Literal(constant, **self._place(tree))

    def _display(self, tree: ast.List | ast.Tuple | ast.Set) -> Display:
        return Display(_DISPLAYS[type(tree)], tuple(map(self.node, tree.elts)), **self._place(tree))

    def _unary(self, tree: ast.UnaryOp) -> Node:
        if isinstance(tree.op, ast.Not):
            return Not(self.node(tree.operand), **self._place(tree))
        if isinstance(tree.op, ast.USub):
            return Negative(self.node(tree.operand), **self._place(tree))
        raise self._refused(tree, tree.op)

    def _arithmetic(self, tree: ast.BinOp) -> Arithmetic:
        sign = _SIGNS.get(type(tree.op))
        if sign is None:
            raise self._refused(tree, tree.op)
        return Arithmetic(sign, self.node(tree.left), self.node(tree.right), **self._place(tree))

    def _logic(self, tree: ast.BoolOp) -> Logic:
        operands = tuple(map(self.node, tree.values))
        return Logic(_SIGNS[type(tree.op)], operands, **self._place(tree))

    def _comparison(self, tree: ast.Compare) -> Comparison:
        operands = tuple(map(self.node, (tree.left, *tree.comparators)))
        signs = tuple(_SIGNS[type(sign)] for sign in tree.ops)
        comparison = Comparison(signs, operands, **self._place(tree))
        for sign, _, right in comparison.pairs():
            if sign in {"is", "is not"} and right != Literal(None, text="", column=0):
                instead = "==" if sign == "is" else "!="
                raise self._wrong(
                    tree,
                    f"'{sign}' compares with None alone: `{shortened(comparison.text)}`",
                    f"use '{instead}'",
                )
        return comparison

    def _call(self, tree: ast.Call) -> Node:
        if not isinstance(tree.func, ast.Name):
            shown = shortened(self._place(tree.func)["text"])
            raise self._wrong(tree, f"`{shown}` cannot be called", ALLOWED)
        name = tree.func.id
        if name not in FUNCTIONS:
            raise self._wrong(tree, f"no function '{name}'", nearest(name, FUNCTIONS, kind="functions"))
        if tree.keywords:
            raise self._wrong(
                tree,
                f"'{name}' takes no keyword arguments",
                "write the values alone, as in `max(1, 2)`",
            )
        arguments = tuple(map(self.node, tree.args))
        if name == "overlap":
            return self._overlap(tree, arguments)
        _, least, greatest = CALLS[name]
        if len(arguments) < least or (greatest is not None and len(arguments) > greatest):
            raise self._wrong(
                tree,
                f"'{name}' is given {len(arguments)} values",
                f"write it as in `{name}(statuses)`",
            )
        return Call(name, arguments, **self._place(tree))

    def _overlap(self, tree: ast.Call, arguments: tuple[Node, ...]) -> Overlap:
        match arguments:
            case (Figure(parts=[first]) as one, Figure(parts=[second]) as other) if first != second:
                return Overlap(one, other, **self._place(tree))
        raise self._wrong(
            tree,
            f"`{shortened(self._place(tree)['text'])}` does not name two requests",
            "write two different labels, as in `overlap(first, second)`",
        )
