"""The documentation itself: built with warnings as errors, checked, and complete."""

import json
import re
import shutil
from dataclasses import fields
from pathlib import Path

import django
import pytest
from absence import INSTALLS_EVERYTHING
from commands import run
from few_pages import write_pages
from snippets import DOCS, ROOT, snippets

from sphinx_djconn.evidence.parts import PARTS
from sphinx_djconn.ext.config import described
from sphinx_djconn.ext.directives.claim import DIRECTIVES
from sphinx_djconn.ext.domain import DjconnDomain
from sphinx_djconn.lab.profiles.databases import DATABASES
from sphinx_djconn.lab.profiles.servers import PLACEHOLDERS, SERVERS, Server
from sphinx_djconn.trace.facts import FACTS, REQUEST_FACTS

# The pages show the connection pool, too.
pytestmark = pytest.mark.skipif(django.VERSION < (5, 1), reason="Django has connection pools since 5.1")


FEW = ("reference", "reviewing", "tutorial")
"""The pages that are built by default: the README's first command builds all of them."""


def build(folder: Path, *builders: tuple[str, str]) -> None:
    """Build the pages in ``docs``, with warnings as errors, into a folder for each of the ``builders``."""
    for builder, out in builders:
        command = f"python -m sphinx -q -W --keep-going -b {builder} -d doctrees docs {out}"
        done = run(command, folder, seconds=900)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a few pages that was built, in ``out`` and ``report``."""
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder / "docs", FEW)
    build(folder, ("html", "out"), ("djconn", "report"))
    return folder


@pytest.fixture(scope="module")
def reference(built: Path) -> str:
    return built.joinpath("out/reference.html").read_text(encoding="utf-8")


def unlike(claims: Path) -> list[str]:
    """Return the claims that are not as declared, but for those that this machine cannot check."""
    found = json.loads(claims.read_text(encoding="utf-8"))
    assert len(found) > 5
    return [claim["id"] for claim in found if claim["verdict"] != claim["declared"] and "missing" not in claim]


def test_all_claims_of_these_pages_are_as_declared(built: Path) -> None:
    assert unlike(built / "report/claims.json") == []


@pytest.mark.exhaustive
def test_all_claims_of_all_pages_are_as_declared(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "__pycache__"))
    build(tmp_path, ("djconn", "report"))
    assert unlike(tmp_path / "report/claims.json") == []
    if INSTALLS_EVERYTHING:
        assert '"missing"' not in tmp_path.joinpath("report/claims.json").read_text(encoding="utf-8")


def test_one_changed_expectation_fails_the_check_with_a_warning_that_names_it(built: Path) -> None:
    changed = built / "changed"
    shutil.copytree(built / "docs", changed)
    page = changed / "reviewing.rst"
    lines = page.read_text(encoding="utf-8").splitlines()
    at = lines.index("   :expect: db.opened == 1 and db.reused == 1")
    lines[at] = "   :expect: db.opened == 2"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # The scenarios are the same ones, so their recordings serve.
    shutil.copytree(built / "doctrees/djconn", built / "doctrees-changed/djconn")
    done = run("python -m sphinx -b djconn -d doctrees-changed changed report-changed", built)
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
    names = [*described(), *SERVERS, *DATABASES, *PARTS, *(f"{{{place}}}" for place in PLACEHOLDERS)]
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


def test_the_reference_has_every_key_of_the_reports(built: Path, reference: str) -> None:
    claims = json.loads(built.joinpath("report/claims.json").read_text(encoding="utf-8"))
    facts = json.loads(built.joinpath("report/facts.json").read_text(encoding="utf-8"))
    keys = {key for claim in claims for key in claim}
    keys |= {axis for scenario in facts.values() for axis in scenario["axes"]}
    assert [key for key in sorted(keys) if f">{key}<" not in reference] == []


def test_the_reference_names_every_report(built: Path, reference: str) -> None:
    written = {path.name for path in built.joinpath("report").iterdir() if path.is_file()}
    assert {name for name in written if f">{name}<" not in reference} == set()


def test_the_page_of_whose_request_shows_the_code_that_it_runs() -> None:
    shown = [snippet for snippet in snippets(DOCS / "whose-request.rst") if snippet.file is not None]
    assert len(shown) == 3
    for snippet in shown:
        name, _ = snippet.file or ("", False)
        assert snippet.text in ROOT.joinpath(name).read_text(encoding="utf-8"), name
