"""What pages declare: scenarios, claims, and figures in sentences. The only owner of data in the environment.

Everything is stored by page. So Sphinx can remove a page, or merge what another process has read, in one line.
If two declarations have the same name, the first one counts, in alphabetical order of the pages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias, assert_never

from sphinx.environment import BuildEnvironment

from sphinx_djconn.claims.bisect import Direction
from sphinx_djconn.claims.judgement import Judgement, Verdict
from sphinx_djconn.scenario.matrix import Axis, AxisValue, cell_label
from sphinx_djconn.scenario.model import Scenario

INITIAL_DATA: Final[dict[str, Any]] = {"pages": {}, "judgements": {}}
"""The domain's data: a :class:`Page` by docname, and a :class:`CachedJudgement` by name."""

DATA_VERSION: Final = 7
"""Changes whenever the classes in this module do."""

FIGURE_MARK: Final = "\N{SYMBOL FOR UNIT SEPARATOR}"
"""Encloses the target and the expression of a figure in a claim's sentence until its value is known."""

DomainObject: TypeAlias = tuple[str, str, str, str, str, int]
"""An object as :meth:`sphinx.domains.Domain.get_objects` yields it."""


@dataclass(frozen=True)
class SourceLocation:
    """Where something is declared: page, source file, line."""

    docname: str
    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"

    def shifted(self, lines: int) -> "SourceLocation":
        """Return the location that is ``lines`` further down."""
        return SourceLocation(self.docname, self.source, self.line + lines)


class Problem(NamedTuple):
    """A part of a page that cannot be used: which one, why and what to do, where, and the warning's type."""

    subject: str
    message: str
    location: SourceLocation
    subtype: str = "config"


@dataclass(frozen=True)
class DeclaredScenario:
    """A scenario of a page; ``scenario`` is ``None`` if the directive has an error.

    A cell of a matrix is one, too: ``matrix`` is its name, and ``values`` are those of its axes. So is a
    release in which the claim ``claim`` is judged; then ``steps`` is the location of the scenario's steps.
    """

    name: str
    location: SourceLocation
    node_id: str
    scenario: Scenario | None
    body_offset: int = 0
    matrix: str = ""
    values: tuple[AxisValue, ...] = ()
    claim: str = ""
    steps: SourceLocation | None = None

    @property
    def subject(self) -> str:
        """The directive and its name, for warnings."""
        kind = "matrix" if self.matrix else "since" if self.claim else "scenario"
        return f"djconn:{kind} `{self.name}`"

    @property
    def group(self) -> str:
        """The name of the matrix or claim that it belongs to; else its own."""
        return self.matrix or self.claim or self.name

    def location_of(self, line: int) -> SourceLocation:
        """Return the location of the ``line`` of its steps."""
        return (self.steps or self.location.shifted(self.body_offset)).shifted(line)


@dataclass(frozen=True)
class DeclaredMatrix:
    """A matrix of a page, with the facts in its table; it has no cells if the directive has an error."""

    name: str
    location: SourceLocation
    node_id: str
    axes: tuple[Axis, ...]
    facts: tuple[str, ...]
    cells: tuple[DeclaredScenario, ...]

    def label(self, cell: DeclaredScenario) -> str:
        """Return the values of ``cell``: ``server=runserver, conn-max-age=0``."""
        return cell_label(self.axes, cell.values)


@dataclass(frozen=True)
class Releases:
    """The releases, from the oldest to the newest, among which a claim is expected to change.

    ``text`` is the option's value, ``names`` are shown to readers. ``declared`` is the position of the first
    release after the change: the release of ``since``, or the next one after that of ``until``. It is ``None``
    if the page does not name it.
    """

    text: str
    names: tuple[str, ...]
    environments: tuple[str, ...]
    direction: Direction
    declared: int | None


@dataclass(frozen=True)
class DeclaredClaim:
    """A claim of a page. One of ``expect`` and ``sometimes`` is set.

    ``target`` names a scenario, a matrix, or cells of one; ``where`` selects among the cells of a matrix. A
    claim with ``releases`` is about a scenario in each of them.
    """

    name: str
    location: SourceLocation
    node_id: str
    sentence: str
    target: str
    where: str | None
    expect: str | None
    sometimes: str | None
    declared: Verdict
    releases: Releases | None = None

    @property
    def subject(self) -> str:
        """The directive and its name, for warnings."""
        return f"djconn:{'claim' if self.releases is None else 'since'} `{self.name}`"

    @property
    def expression(self) -> str:
        """The expression that decides it."""
        return self.expect or self.sometimes or ""

    @property
    def target_text(self) -> str:
        """What it is about, in one line."""
        if self.releases is not None:
            return f"{self.target}, Django {self.releases.text}"
        return self.target if self.where is None else f"{self.target} where {self.where}"


Declaration: TypeAlias = DeclaredScenario | DeclaredMatrix | DeclaredClaim


@dataclass(frozen=True)
class FactUse:
    """A figure in a sentence."""

    location: SourceLocation
    target: str
    expression: str


class CachedJudgement(NamedTuple):
    """A judgement of an earlier build; ``made_of`` changes if the claim or the recordings do."""

    made_of: tuple[str, ...]
    judgement: Judgement


@dataclass(slots=True, eq=False, repr=False)
class Page:
    """What one page declares and shows, and its errors."""

    scenarios: list[DeclaredScenario | DeclaredMatrix] = field(default_factory=list)
    claims: list[DeclaredClaim] = field(default_factory=list)
    facts: list[FactUse] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    lists_all: bool = False
    problems: list[Problem] = field(default_factory=list)

    def runnable(self) -> list[DeclaredScenario]:
        """Return the scenarios, and every cell of a matrix."""
        return [cell for declared in self.scenarios for cell in _cells(declared)]


def _cells(declared: DeclaredScenario | DeclaredMatrix) -> Sequence[DeclaredScenario]:
    return declared.cells if isinstance(declared, DeclaredMatrix) else [declared]


class Registry:
    """The declarations of all pages, in ``data``, which the domain stores in the environment."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.pages: dict[str, Page] = data["pages"]
        self.judgements: dict[str, CachedJudgement] = data["judgements"]

    def page(self, docname: str) -> Page:
        """Return the page ``docname``."""
        return self.pages.setdefault(docname, Page())

    def purge(self, docname: str) -> None:
        """Remove what ``docname`` declares."""
        self.pages.pop(docname, None)

    def merge(self, docnames: set[str], other: dict[str, Any]) -> None:
        """Add what another process has read of ``docnames``."""
        self.pages.update({name: page for name, page in other["pages"].items() if name in docnames})

    def declarations(self) -> dict[str, DeclaredScenario | DeclaredMatrix]:
        """Return scenarios and matrices by name, in the order of pages; of two with a name, the first."""
        by_name: dict[str, DeclaredScenario | DeclaredMatrix] = {}
        for declared in self._all_scenarios():
            by_name.setdefault(declared.name, declared)
        return by_name

    def scenarios(self) -> dict[str, DeclaredScenario]:
        """Return what can be run, by name: the scenarios, and every cell of a matrix."""
        return {cell.name: cell for declared in self.declarations().values() for cell in _cells(declared)}

    def claims(self) -> dict[str, DeclaredClaim]:
        """Return the claims by name, in the order of pages; of two with a name, the first."""
        by_name: dict[str, DeclaredClaim] = {}
        for claim in self._all_claims():
            by_name.setdefault(claim.name, claim)
        return by_name

    def objects(self) -> Iterator[DomainObject]:
        """Yield every scenario, matrix and claim for Sphinx's inventory and search."""
        for declared in (*self.declarations().values(), *self.claims().values()):
            name, location = declared.name, declared.location
            yield name, name, kind_of(declared), location.docname, declared.node_id, 1

    def problems(self) -> Iterator[Problem]:
        """Yield the errors of all pages, and every name that is declared more than once."""
        for _, page in sorted(self.pages.items()):
            yield from page.problems
        for declarations in (self._all_scenarios(), self._all_claims()):
            first: dict[str, SourceLocation] = {}
            for declared in declarations:
                if first.setdefault(declared.name, declared.location) is not declared.location:
                    yield Problem(
                        f"djconn:{kind_of(declared)} `{declared.name}`",
                        f"declared twice: the one at {first[declared.name]} counts, and this one does "
                        "not; give it another name",
                        declared.location,
                    )

    def _all_scenarios(self) -> Iterator[DeclaredScenario | DeclaredMatrix]:
        for _, page in sorted(self.pages.items()):
            yield from page.scenarios

    def _all_claims(self) -> Iterator[DeclaredClaim]:
        for _, page in sorted(self.pages.items()):
            yield from page.claims


def registry_of(env: BuildEnvironment) -> Registry:
    """Return the registry in ``env``."""
    return Registry(env.get_domain("djconn").data)


def kind_of(declared: Declaration) -> str:
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
