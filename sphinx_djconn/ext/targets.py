"""What a claim or a figure is about: a scenario, a matrix, or some of its cells."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.claims.where import select_cells
from sphinx_djconn.ext.messages import unknown
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario
from sphinx_djconn.scenario.matrix import Axis

_TARGET: Final = r"(?P<name>[^\s\[\]]*)(?:\[(?P<values>[^\[\]]*)\])?"


class TargetError(ValueError):
    """A text that names no target; the message lists the names that exist."""


class Target(NamedTuple):
    """A scenario, or ``cells`` of ``matrix``; a matrix with an error has none."""

    matrix: DeclaredMatrix | None
    cells: tuple[DeclaredScenario, ...]

    @property
    def kind(self) -> str:
        """``scenario`` or ``matrix``."""
        return "scenario" if self.matrix is None else "matrix"

    def label(self, cell: DeclaredScenario) -> str:
        """Return the values of ``cell``, or ``""`` for a scenario."""
        return "" if self.matrix is None else self.matrix.label(cell)


def resolve_target(declarations: Mapping[str, DeclaredScenario | DeclaredMatrix], text: str) -> Target:
    """Return the target ``text``: ``name``, or ``matrix[axis=value,…]`` for the cells with these values.

    Raises :class:`TargetError` if there is none.
    """
    match = re.fullmatch(_TARGET, text)
    if match is None:
        raise TargetError(f"`{text}` names no cells; write them as in `matrix[axis=value,axis=value]`")
    declared = declarations.get(match["name"])
    if declared is None:
        raise TargetError(unknown("scenario", match["name"], declarations))
    if not isinstance(declared, DeclaredMatrix):
        if match["values"] is not None:
            raise _not_a_matrix(f"`[{match['values']}]`", declared)
        return Target(None, (declared,))
    whole = match["values"] is None or not declared.cells
    return Target(declared, declared.cells if whole else _select(declared, match["values"]))


def select_where(target: Target, where: str | None) -> Target:
    """Return the cells of ``target`` for which the expression ``where`` is true.

    Raises :class:`TargetError` if it is true for none, or is not valid.
    """
    matrix = target.matrix
    if where is None or (matrix is not None and not matrix.cells):
        return target
    if matrix is None:
        raise _not_a_matrix("`:where:`", target.cells[0])
    axes = {axis.identifier: axis.values for axis in matrix.axes}
    try:
        truths = select_cells(where, axes, [cell.values for cell in target.cells])
    except ExpressionError as error:
        raise TargetError(f"`:where:` of the matrix `{matrix.name}`: {error}") from error
    return Target(matrix, tuple(cell for cell, truth in zip(target.cells, truths, strict=True) if truth))


def _not_a_matrix(selector: str, scenario: DeclaredScenario) -> TargetError:
    return TargetError(f"{selector} chooses cells of a matrix, and `{scenario.name}` is a scenario; remove it")


def _select(matrix: DeclaredMatrix, values: str) -> tuple[DeclaredScenario, ...]:
    """Return the cells that have all of ``values``, such as ``server=runserver, conn-max-age=0``."""
    cells = matrix.cells
    for part in values.split(","):
        name, sign, value = (" ".join(piece.split()) for piece in part.partition("="))
        if not sign:
            raise TargetError(
                f"`{part.strip()}` chooses no cells; write an axis and its value, as in `server=runserver`"
            )
        position, axis = _axis(matrix, name.replace("_", "-"))
        if value not in axis.texts:
            raise TargetError(unknown(f"value of the axis `{axis.name}`", value, axis.texts))
        wanted = axis.values[axis.texts.index(value)]
        cells = tuple(cell for cell in cells if cell.values[position] == wanted)
    if not cells:
        raise TargetError(f"`{matrix.name}[{values}]` has no cell; name each axis once")
    return cells


def _axis(matrix: DeclaredMatrix, name: str) -> tuple[int, Axis]:
    names = [axis.name for axis in matrix.axes]
    if name not in names:
        raise TargetError(unknown(f"axis of `{matrix.name}`", name, names))
    position = names.index(name)
    return position, matrix.axes[position]
