"""The README: its example is a page, and its commands are those of the project."""

import re
import tomllib
from pathlib import Path

from tests.support.commands import run
from tests.support.snippets import ROOT

README = ROOT.joinpath("README.md").read_text(encoding="utf-8")


def test_the_examples_of_the_readme_build_and_their_claims_hold(tmp_path: Path) -> None:
    examples = re.findall(r"^```rst\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    conf = 'project = "x"\nextensions = ["sphinx_djconn"]\ndjconn_unsupported_pythons = True\n'
    tmp_path.joinpath("conf.py").write_text(conf)
    tmp_path.joinpath("index.rst").write_text("\n".join(["Example\n=======\n", *examples]))
    done = run("python -m sphinx -W -b text . out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = " ".join(tmp_path.joinpath("out/index.txt").read_text(encoding="utf-8").split())
    assert "**holds in keep-alive**" in page
    assert "**holds since 2.1.4" in page
    assert "The development server used 3 threads for 4 requests." in page


def test_the_commands_of_the_readme_name_extras_that_there_are() -> None:
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    commands = re.findall(r"^    (python .*)$", README, flags=re.MULTILINE)
    extras = [re.findall(r'"\.\[(\w+)\]"', command) for command in commands]
    assert extras == [["docs"], ["test"]]
    assert {"docs", "test"} <= project["optional-dependencies"].keys()


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert links
    assert [link for link in links if not ROOT.joinpath(link).is_file()] == []
