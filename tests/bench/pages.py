"""The documentations that are built: the same pages with our evidence, without any, and as others make it."""

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from .workplace import INSIDE, Workplace

SCRIPT = INSIDE / "scenario_script.py"

Section = Callable[[int], str]
"""What stands on a page for the scenario with a number."""

_HEADING = re.compile(r"^Scenario (\d+)\n[^\w\s]+\n", re.MULTILINE)


def target(number: int, version: int = 0) -> str:
    """Return a path that no other scenario has: equal ones would run once."""
    return f"/polls/?scenario={number}.{version}"


def sentence(number: int) -> str:
    return f"Six requests over one connection are served by one thread, as scenario {number} shows."


def plain(number: int) -> str:
    """Return a section with no evidence."""
    return sentence(number)


def ours(number: int, version: int = 0, database: str = "sqlite") -> str:
    """Return a section with a scenario and a claim."""
    return textwrap.dedent(f"""\
        .. djconn:scenario:: scenario-{number}
           :database: {database}
           :conn-max-age: none

           6 x browser: GET {target(number, version)}

        .. djconn:claim:: claim-{number}
           :in: scenario-{number}
           :expect: threads == 1 and db.opened == 1

           {sentence(number)}
        """)


def programoutput(place: Workplace) -> Section:
    """Return what makes sections of ``sphinxcontrib-programoutput``."""

    def section(number: int) -> str:
        command = f"{sys.executable} {SCRIPT} {place.ready_site} {target(number)}"
        return f"{sentence(number)}\n\n.. program-output:: {command}\n"

    return section


def exec_code(place: Workplace) -> Section:
    """Return what makes sections of ``sphinx-exec-code``."""

    def section(number: int) -> str:
        code = (
            f"import sys\nsys.path.insert(0, {str(SCRIPT.parent)!r})\nimport scenario_script\n"
            f"scenario_script.play({str(place.ready_site)!r}, {target(number)!r})\n"
        )
        return f"{sentence(number)}\n\n.. exec_code::\n\n" + textwrap.indent(code, "   ")

    return section


def pasted(text_output: Path) -> Section:
    """Return what makes sections of the evidence in ``text_output``, as static text."""
    evidence = dict(_sections(text_output))

    def section(number: int) -> str:
        return f"{sentence(number)}\n\n::\n\n{textwrap.indent(evidence[number], '   ')}\n"

    return section


def _sections(text_output: Path) -> Iterator[tuple[int, str]]:
    for path in sorted(text_output.glob("page*.txt")):
        _, *parts = _HEADING.split(path.read_text(encoding="utf-8"))
        for number, text in zip(parts[::2], parts[1::2], strict=True):
            yield int(number), text.strip("\n")


def write(docs: Path, section: Section, pages: int, a_page: int, **values: object) -> Path:
    """Write ``pages`` pages with ``a_page`` scenarios each, and return their folder.

    ``values`` go into conf.py. There is one page more, of nothing but text.
    """
    docs.mkdir()
    lines = ["html_theme = 'basic'", "project = 'benchmark'"]
    lines += [f"{name} = {value!r}" for name, value in values.items()]
    docs.joinpath("conf.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = [f"page{number:03}" for number in range(pages)]
    toctree = "".join(f"   {name}\n" for name in (*names, "text"))
    docs.joinpath("index.rst").write_text(
        f"Benchmark\n=========\n\n.. toctree::\n\n{toctree}", encoding="utf-8"
    )
    write_text(docs, 0)
    for number, name in enumerate(names):
        write_page(docs / f"{name}.rst", section, range(number * a_page, (number + 1) * a_page))
    return docs


def write_page(path: Path, section: Section, numbers: range) -> None:
    """Write the page of the scenarios with ``numbers``."""
    title = f"Scenarios from {numbers.start}"
    parts = [f"{title}\n{'=' * len(title)}\n"]
    for number in numbers:
        heading = f"Scenario {number}"
        parts.append(f"{heading}\n{'-' * len(heading)}\n\n{section(number)}\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def write_text(docs: Path, version: int) -> None:
    """Write the page that has no scenario."""
    text = f"Text\n====\n\nNothing but text, in its version {version}.\n"
    docs.joinpath("text.rst").write_text(text, encoding="utf-8")


def our_values(place: Workplace, **values: object) -> dict[str, object]:
    """Return what conf.py says for our extension."""
    project = {"path": str(place.site), "settings": "mysite.settings", "fixtures": ["polls"]}
    return {"extensions": ["sphinx_djconn"], "djconn_project": project, **values}


def recordings(docs: Path) -> list[Path]:
    """Return the recordings that builds of ``docs`` have kept."""
    doctrees = docs.with_name(f"{docs.name}.doctrees")
    return sorted(doctrees.joinpath("djconn", "recordings").glob("*.json"))


def as_json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))
