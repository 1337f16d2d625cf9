"""What a claim or a figure is about: a scenario, a matrix, or some of its cells."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from sphinx_djconn.claims.errors import ExpressionError
from sphinx_djconn.ext.directives.options import unknown
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario
from sphinx_djconn.scenario.matrix import Axis

_NAMED: Final = r"(?P<name>[^\s\[\]]*)(?:\[(?P<values>[^\[\]]*)\])?"
_FIGURE: Final = rf"(?P<scenario>{_NAMED})(?:\s+(?P<expression>.*))?"


class ChoiceError(ValueError):
    """Nothing is chosen: the message says what there is."""


class Target(NamedTuple):
    """What was chosen: a scenario, or ``cells`` of ``matrix``; none of one that was refused."""

    matrix: DeclaredMatrix | None
    cells: tuple[DeclaredScenario, ...]

    @property
    def kind(self) -> str:
        """``scenario`` or ``matrix``."""
        return "scenario" if self.matrix is None else "matrix"

    def label(self, cell: DeclaredScenario) -> str:
        """Return what tells ``cell`` from the others; ``""`` where there are no others."""
        return "" if self.matrix is None else self.matrix.label(cell)


def split_figure(text: str) -> tuple[str, str]:
    """Return the two halves of ``matrix[axis=value] threads``: what it is about, and the expression."""
    found = re.fullmatch(_FIGURE, text, re.DOTALL)
    if found is None:  # a bracket that is open: to be told where it is looked up
        return text, ""
    return found["scenario"], (found["expression"] or "").strip()


def chosen(declared: Mapping[str, DeclaredScenario | DeclaredMatrix], text: str) -> Target:
    """Return what ``text`` names: ``name``, or ``matrix[axis=value,…]`` for the cells with these values.

    Raises :class:`ChoiceError` where there is no such thing.
    """
    named = re.fullmatch(_NAMED, text)
    if named is None:
        raise ChoiceError(f"`{text}` names no cells; write them as in `matrix[axis=value,axis=value]`")
    found = declared.get(named["name"])
    if found is None:
        raise ChoiceError(unknown("scenario", named["name"], declared))
    if not isinstance(found, DeclaredMatrix):
        if named["values"] is not None:
            raise _no_matrix(f"`[{named['values']}]`", found)
        return Target(None, (found,))
    whole = named["values"] is None or not found.cells
    return Target(found, found.cells if whole else _selected(found, named["values"]))


def narrowed(named: Target, where: str | None) -> Target:
    """Return those cells of what is ``named`` of which the expression ``where`` is true.

    Raises :class:`ChoiceError` where it is true of none, or means nothing.
    """
    matrix = named.matrix
    if where is None or (matrix is not None and not matrix.cells):
        return named
    if matrix is None:
        raise _no_matrix("`:where:`", named.cells[0])
    from sphinx_djconn.claims.where import select_cells  # noqa: PLC0415 - judgements are kept from build to build

    axes = {axis.identifier: axis.values for axis in matrix.axes}
    try:
        truths = select_cells(where, axes, [cell.values for cell in named.cells])
    except ExpressionError as error:
        raise ChoiceError(f"`:where:` of the matrix `{matrix.name}`: {error}") from error
    return Target(matrix, tuple(cell for cell, truth in zip(named.cells, truths, strict=True) if truth))


def _no_matrix(what: str, scenario: DeclaredScenario) -> ChoiceError:
    return ChoiceError(f"{what} chooses cells of a matrix, and `{scenario.name}` is a scenario; remove it")


def _selected(matrix: DeclaredMatrix, values: str) -> tuple[DeclaredScenario, ...]:
    """Return the cells that have all of ``values``, such as ``server=runserver, conn-max-age=0``."""
    cells = matrix.cells
    for part in values.split(","):
        name, sign, value = (" ".join(piece.split()) for piece in part.partition("="))
        if not sign:
            raise ChoiceError(
                f"`{part.strip()}` chooses no cells; write an axis and its value, as in `server=runserver`"
            )
        position, axis = _axis(matrix, name.replace("_", "-"))
        if value not in axis.texts:
            raise ChoiceError(unknown(f"value of the axis `{axis.name}`", value, axis.texts))
        cells = tuple(cell for cell in cells if cell.values[position] == axis.values[axis.texts.index(value)])
    if not cells:
        raise ChoiceError(f"`{matrix.name}[{values}]` has no cell; name each axis once")
    return cells


def _axis(matrix: DeclaredMatrix, name: str) -> tuple[int, Axis]:
    names = [axis.name for axis in matrix.axes]
    if name not in names:
        raise ChoiceError(unknown(f"axis of `{matrix.name}`", name, names))
    position = names.index(name)
    return position, matrix.axes[position]
