"""What pages declare: scenarios, claims, and figures in sentences. The one owner of data in the env.

Everything is kept by the page that declares it, so that purging a page and merging what another process
has read are one line each. Which of two declarations of a name counts is decided when all pages are
read: the first in the order of the pages' names.
"""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, assert_never

from sphinx_djconn.claims.bisect import Direction
from sphinx_djconn.claims.verdict import Judgement, Verdict
from sphinx_djconn.ext.packed import Object, PickledDeclarations
from sphinx_djconn.scenario.matrix import Axis, cell_label
from sphinx_djconn.scenario.model import Scenario

if TYPE_CHECKING:
    from sphinx_djconn.claims.expression import Expression
    from sphinx_djconn.scenario.matrix import AxisValue


@dataclass(frozen=True)
class SourceLocation:
    """Where something is declared: page, source file, line."""

    docname: str
    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"

    def moved(self, lines: int) -> "SourceLocation":
        """Return the place so many lines further down."""
        return SourceLocation(self.docname, self.source, self.line + lines)


FIGURE_MARK: Final = "\N{SYMBOL FOR UNIT SEPARATOR}"
"""Stands on both sides of a figure in the sentence of a claim, and between what it is about and its
expression, until the figure is known.
"""


class Problem(NamedTuple):
    """What cannot be used of a page: which part, why and what to do, where, and the warning's type."""

    subject: str
    message: str
    place: SourceLocation
    subtype: str = "config"


@dataclass(frozen=True)
class DeclaredScenario:
    """A scenario of a page; ``scenario`` is ``None`` where what the page says was refused.

    A cell of a matrix is one, too: ``matrix`` names that, and ``values`` are those of its axes. So is a release
    that the claim ``claim`` is searched in; its ``steps`` are where those of the claim's scenario are.
    """

    name: str
    place: SourceLocation
    node_id: str
    scenario: Scenario | None
    body_offset: int = 0
    matrix: str = ""
    values: "tuple[AxisValue, ...]" = ()
    claim: str = ""
    steps: SourceLocation | None = None

    @property
    def subject(self) -> str:
        """What a warning begins with."""
        kind = "matrix" if self.matrix else "since" if self.claim else "scenario"
        return f"djconn:{kind} `{self.name}`"

    @property
    def group(self) -> str:
        """The name of what it is a cell of; its own where it is none."""
        return self.matrix or self.claim or self.name

    def line_at(self, line: int) -> SourceLocation:
        """Return the place of a ``line`` of its steps."""
        return (self.steps or self.place.moved(self.body_offset)).moved(line)


@dataclass(frozen=True)
class DeclaredMatrix:
    """A matrix of a page, with the facts that its table shows; it has no cells where it was refused."""

    name: str
    place: SourceLocation
    node_id: str
    axes: tuple[Axis, ...]
    facts: tuple[str, ...]
    cells: tuple[DeclaredScenario, ...]

    def label(self, cell: DeclaredScenario) -> str:
        """Return what tells ``cell`` from the others: ``server=runserver, conn-max-age=0``."""
        return cell_label(self.axes, cell.values)


@dataclass(frozen=True)
class Releases:
    """A row of releases, from the oldest to the newest, in which a claim is to change.

    ``text`` is what the page says, ``names`` are those that readers know. ``declared`` is the position of the
    first release after the change: the one that ``since`` names, or the next after the one that ``until``
    names.
    """

    text: str
    names: tuple[str, ...]
    environments: tuple[str, ...]
    direction: Direction
    declared: int | None


@dataclass(frozen=True)
class DeclaredClaim:
    """A claim of a page. One of ``expect`` and ``sometimes`` is set.

    ``scenario`` names a scenario, a matrix, or cells of one; ``where`` chooses among those of a matrix. A claim
    that has ``releases`` is about a scenario in each of these.
    """

    name: str
    place: SourceLocation
    node_id: str
    sentence: str
    scenario: str
    where: str | None
    expect: str | None
    sometimes: str | None
    declared: Verdict
    releases: Releases | None = None

    @property
    def subject(self) -> str:
        """What a warning begins with."""
        return f"djconn:{'claim' if self.releases is None else 'since'} `{self.name}`"

    @property
    def expression(self) -> str:
        """The expression that decides it."""
        return self.expect or self.sometimes or ""

    @property
    def told_in(self) -> str:
        """What it is about, in a line of text."""
        if self.releases is not None:
            return f"{self.scenario}, Django {self.releases.text}"
        return self.scenario if self.where is None else f"{self.scenario} where {self.where}"


@dataclass(frozen=True)
class FactUse:
    """A figure in a sentence."""

    place: SourceLocation
    scenario: str
    expression: str


@dataclass(slots=True, eq=False, repr=False)
class Page:
    """What one page declares and shows, and what was refused of it."""

    scenarios: list[DeclaredScenario | DeclaredMatrix] = field(default_factory=list)
    claims: list[DeclaredClaim] = field(default_factory=list)
    facts: list[FactUse] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    lists_all: bool = False
    problems: list[Problem] = field(default_factory=list)

    def runnable(self) -> list[DeclaredScenario]:
        """Return what can be run: the scenarios, and every cell of a matrix."""
        return [cell for each in self.scenarios for cell in _cells(each)]


def _cells(declared: DeclaredScenario | DeclaredMatrix) -> Sequence[DeclaredScenario]:
    return declared.cells if isinstance(declared, DeclaredMatrix) else [declared]


@dataclass(eq=False, repr=False)
class _Kept:
    """What the env keeps: pages by name; judgements by claim, with what they were made of."""

    pages: dict[str, Page] = field(default_factory=dict)
    judgements: dict[str, tuple[tuple[str, str], Judgement]] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[PickledDeclarations], tuple[bytes, tuple[Object, ...]]]:
        content = pickle.dumps((self.pages, self.judgements), pickle.HIGHEST_PROTOCOL)
        return PickledDeclarations, (content, tuple(Registry({"kept": self}).objects()))


class Registry:
    """The declarations of all pages, over the dictionary that the domain keeps in the env."""

    def __init__(self, data: dict[str, Any]) -> None:
        kept = data.get("kept")
        if not isinstance(kept, _Kept):
            kept = data["kept"] = _Kept() if kept is None else _Kept(*kept.unpacked())
        self._kept = kept

    @property
    def pages(self) -> dict[str, Page]:
        """The pages that declare or show anything, by name."""
        return self._kept.pages

    @property
    def judgements(self) -> dict[str, tuple[tuple[str, str], Judgement]]:
        """Judgements of an earlier build, with what they were made of."""
        return self._kept.judgements

    def page(self, docname: str) -> Page:
        """Return the page ``docname``."""
        return self.pages.setdefault(docname, Page())

    def purge(self, docname: str) -> None:
        """Forget what ``docname`` declares."""
        self.pages.pop(docname, None)

    def merge(self, docnames: set[str], other: dict[str, Any]) -> None:
        """Take over what another process has read of ``docnames``."""
        self.pages.update({name: page for name, page in Registry(other).pages.items() if name in docnames})

    def declared(self) -> dict[str, DeclaredScenario | DeclaredMatrix]:
        """Return scenarios and matrices by name, in the order of pages; of two with a name, the first."""
        found: dict[str, DeclaredScenario | DeclaredMatrix] = {}
        for each in self._all_scenarios():
            found.setdefault(each.name, each)
        return found

    def scenarios(self) -> dict[str, DeclaredScenario]:
        """Return what can be run, by name: the scenarios, and every cell of a matrix."""
        return {cell.name: cell for each in self.declared().values() for cell in _cells(each)}

    def claims(self) -> dict[str, DeclaredClaim]:
        """Return the claims by name, in the order of pages; of two with a name, the first."""
        found: dict[str, DeclaredClaim] = {}
        for each in self._all_claims():
            found.setdefault(each.name, each)
        return found

    def objects(self) -> Iterator[Object]:
        """Yield every scenario, matrix and claim, as Sphinx lists what a domain has."""
        for each in (*self.declared().values(), *self.claims().values()):
            yield each.name, each.name, kind_of(each), each.place.docname, each.node_id, 1

    def problems(self) -> Iterator[Problem]:
        """Yield what was refused while pages were read, and every name that is declared once more."""
        for _, page in sorted(self.pages.items()):
            yield from page.problems
        for declared in (self._all_scenarios(), self._all_claims()):
            first: dict[str, SourceLocation] = {}
            for each in declared:
                if first.setdefault(each.name, each.place) is not each.place:
                    yield Problem(
                        f"djconn:{kind_of(each)} `{each.name}`",
                        f"declared twice: the one at {first[each.name]} counts, and this one does "
                        "not; give it another name",
                        each.place,
                    )

    def _all_scenarios(self) -> Iterator[DeclaredScenario | DeclaredMatrix]:
        for _, page in sorted(self.pages.items()):
            yield from page.scenarios

    def _all_claims(self) -> Iterator[DeclaredClaim]:
        for _, page in sorted(self.pages.items()):
            yield from page.claims


def kind_of(declared: DeclaredScenario | DeclaredMatrix | DeclaredClaim) -> str:
    """Return the name of the directive that declares it."""
    match declared:
        case DeclaredClaim():
            return "claim"
        case DeclaredMatrix():
            return "matrix"
        case DeclaredScenario():
            return "scenario"
        case _:
            assert_never(declared)


def claim_expression(claim: DeclaredClaim, scenario: Scenario) -> "Expression":
    """Return the expression of ``claim`` about ``scenario``.

    Raises :class:`ExpressionError` if a name is none of its facts, types do not fit together, or no run could
    give it another truth than the declared one.
    """
    expression = figure_expression(claim.expression, scenario)
    expression.check(refuted=claim.declared is Verdict.REFUTED)
    return expression


def figure_expression(text: str, scenario: Scenario) -> "Expression":
    """Return the expression in ``text`` about ``scenario``, of whatever type; raise ExpressionError."""
    from sphinx_djconn.claims.expression import parse  # noqa: PLC0415 - judgements are kept from build to build

    return parse(text, scenario.sequence.labels)
