"""The documentation itself: built with warnings as errors, checked, reproducible and complete."""

import difflib
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import django
import pytest

from sphinx_djconn.evidence.parts import PARTS
from sphinx_djconn.ext.config import described
from sphinx_djconn.ext.directives import DIRECTIVES
from sphinx_djconn.ext.domain import DjconnDomain
from sphinx_djconn.lab.profiles.databases import DATABASES
from sphinx_djconn.lab.profiles.servers import PLACEHOLDERS, SERVERS, Server
from sphinx_djconn.trace.fact_table import FACTS, REQUEST_FACTS
from tests.support.absence import INSTALLS_EVERYTHING
from tests.support.commands import run
from tests.support.equivalence import assert_equivalent, settings_of
from tests.support.few_pages import write_pages
from tests.support.snippets import DOCS, ROOT, snippets

# The pages show the connection pool, too.
pytestmark = pytest.mark.skipif(django.VERSION < (5, 1), reason="Django has connection pools since 5.1")


FEW = ("reference", "reviewing", "tutorial")
"""The pages that are built by default. The README's first command builds all of them."""

CHOOSES = ("gunicorn-", "uwsgi", "mod_wsgi", "waitress", "cheroot", "granian-wsgi", "hypercorn-wsgi")
"""Servers with several workers: the kernel or a queue chooses which of them gets a request."""

ENDS_SESSIONS = "database: "
"""After these steps, it is a matter of chance whether a client still reads why its session was ended."""

FORKED = "python -m django"
"""How the commands begin that the fork server can run."""


@dataclass(frozen=True)
class Pages:
    """Pages in ``docs``, built with warnings as errors into ``out-NAME``, from ``doctrees-NAME``."""

    folder: Path

    def build(self, name: str, options: str = "", *, builder: str = "html") -> Path:
        """Build the pages and return the folder of the output."""
        out = f"out-{name}" if builder == "html" else f"{builder}-{name}"
        command = f"python -m sphinx -q -W --keep-going -b {builder} -d doctrees-{name} {options} docs {out}"
        done = run(command, self.folder, seconds=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.folder / out

    def recordings(self, name: str) -> Path:
        return self.folder / f"doctrees-{name}" / "djconn" / "recordings"

    def copy_recordings(self, name: str, is_copied: Callable[[Path], bool]) -> None:
        """Copy recordings of the first build, so that the build ``name`` does not run them."""
        self.recordings(name).mkdir(parents=True)
        for recording in self.recordings("first").iterdir():
            if is_copied(recording):
                shutil.copy(recording, self.recordings(name))


def is_by_chance(recording: Path) -> bool:
    scenario = json.loads(recording.read_text("utf-8").partition("\n")[0])["scenario"]
    return settings_of(recording)["Server"].startswith(CHOOSES) or ENDS_SESSIONS in scenario


def starts_from_the_shell(recording: Path) -> bool:
    return not settings_of(recording)["Command"].startswith(FORKED)


@pytest.fixture(scope="module", params=["few", pytest.param("all", marks=pytest.mark.exhaustive)])
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A copy of the pages, built once, and checked in ``djconn-first``."""
    pages = Pages(tmp_path_factory.mktemp("pages"))
    if request.param == "few":
        write_pages(pages.folder / "docs", FEW)
    else:
        ignored = shutil.ignore_patterns("_build", "__pycache__")
        shutil.copytree(DOCS, pages.folder / "docs", ignore=ignored)
    pages.build("first")
    pages.build("first", builder="djconn")
    return pages


@pytest.fixture(scope="module")
def reference(pages: Pages) -> str:
    return pages.folder.joinpath("out-first/reference.html").read_text(encoding="utf-8")


def test_all_claims_are_as_declared(pages: Pages) -> None:
    report = pages.folder.joinpath("djconn-first/claims.json").read_text(encoding="utf-8")
    claims = json.loads(report)
    assert len(claims) > 5
    checked = [claim for claim in claims if "missing" not in claim]
    assert [claim["id"] for claim in checked if claim["verdict"] != claim["declared"]] == []
    if INSTALLS_EVERYTHING:
        assert checked == claims


@pytest.mark.exhaustive
def test_a_second_build_from_nothing_gives_the_same_bytes(pages: Pages) -> None:
    pages.copy_recordings("second", is_by_chance)
    first, second = files(pages.folder / "out-first"), files(pages.build("second"))
    assert first.keys() == second.keys()
    for name, path in first.items():
        if path.read_bytes() != second[name].read_bytes():
            pytest.fail("\n".join(difference(path, second[name])))


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all runs start from the shell")
def test_each_scenario_leaves_the_same_trace_from_the_fork_server_and_from_the_shell(pages: Pages) -> None:
    pages.copy_recordings("shell", starts_from_the_shell)
    pages.build("shell", "-D djconn_warm=0")
    assert_equivalent(pages.recordings("first"), pages.recordings("shell"))


def files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def difference(one: Path, other: Path) -> list[str]:
    lines = (path.read_text("utf-8", "replace").splitlines() for path in (one, other))
    return [line[:400] for line in difflib.unified_diff(*lines, str(one), str(other), n=1, lineterm="")]


def test_one_changed_expectation_fails_the_check_with_a_warning_that_names_it(pages: Pages) -> None:
    changed = pages.folder / "changed"
    shutil.copytree(pages.folder / "docs", changed)
    page = changed / "reviewing.rst"
    lines = page.read_text(encoding="utf-8").splitlines()
    at = lines.index("   :expect: db.opened == 1 and db.reused == 1")
    lines[at] = "   :expect: db.opened == 2"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # The scenarios are the same, so their recordings are used.
    shutil.copytree(pages.folder / "doctrees-first/djconn", pages.folder / "doctrees-changed/djconn")
    done = run("python -m sphinx -b djconn -d doctrees-changed changed report-changed", pages.folder)
    assert done.returncode == 1
    (warning,) = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert re.search(r"reviewing\.rst:\d+: WARNING: djconn:claim `review-reuse`: refuted", warning)
    assert "the second request reuses the database connection of the first" in warning
    assert "db.opened is 1" in warning


def test_the_reference_has_every_fact(reference: str) -> None:
    names = [*FACTS, *(f"LABEL.{name}" for name in REQUEST_FACTS)]
    assert [name for name in names if f">{name}<" not in reference] == []


def test_the_reference_has_every_option_of_every_directive(reference: str) -> None:
    missing = [
        f"djconn:{directive} :{name}:"
        for directive, found in DIRECTIVES.items()
        for name in found.options_read
        if f'id="directive-option-djconn-{directive}-{name}"' not in reference
    ]
    assert missing == []


def test_the_reference_has_every_setting_profile_and_part(reference: str) -> None:
    names = [
        *described(),
        *SERVERS,
        *DATABASES,
        *PARTS,
        *(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS),
    ]
    assert [name for name in names if f">{name}<" not in reference] == []


def test_the_reference_has_every_key_of_a_server(reference: str) -> None:
    keys = [each.name for each in fields(Server)]
    assert [key for key in keys if f">{key}<" not in reference] == []


def test_the_reference_has_every_directive_and_role(reference: str) -> None:
    missing = [
        f"{kind} {name}"
        for kind, names in (("directive", DIRECTIVES), ("role", DjconnDomain.roles))
        for name in names
        if f'id="{kind}-djconn-{name}"' not in reference
    ]
    assert missing == []


def test_the_reference_has_every_key_of_the_reports(pages: Pages, reference: str) -> None:
    claims = json.loads(pages.folder.joinpath("djconn-first/claims.json").read_text(encoding="utf-8"))
    facts = json.loads(pages.folder.joinpath("djconn-first/facts.json").read_text(encoding="utf-8"))
    keys = {key for claim in claims for key in claim}
    keys |= {axis for scenario in facts.values() for axis in scenario["axes"]}
    assert [key for key in sorted(keys) if f">{key}<" not in reference] == []


def test_the_reference_names_every_report(pages: Pages, reference: str) -> None:
    written = {path.name for path in pages.folder.joinpath("djconn-first").iterdir() if path.is_file()}
    assert {name for name in written if f">{name}<" not in reference} == set()


def test_the_page_of_whose_request_shows_the_code_that_it_runs() -> None:
    shown = [snippet for snippet in snippets(DOCS / "whose-request.rst") if snippet.file is not None]
    assert len(shown) == 3
    for snippet in shown:
        name, _ = snippet.file or ("", False)
        assert snippet.text in ROOT.joinpath(name).read_text(encoding="utf-8"), name
