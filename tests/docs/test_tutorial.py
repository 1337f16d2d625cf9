"""The tutorial, followed to the letter in an empty folder."""

from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.snippets import DOCS, Snippet, differing, snippets, write

pytestmark = pytest.mark.exhaustive

PAGE = DOCS / "tutorial.rst"


class Follower:
    """Does what the tutorial says, block by block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verdicts: list[str] = []
        self._errors = ""

    def follow(self, snippet: Snippet) -> None:
        if snippet.options.get("class") == "expected-warning":
            assert snippet.text.strip() in self._errors
        elif snippet.file is not None:
            write(snippet, self.folder)
        else:
            expected = int(snippet.options.get("class", "exit-code-0").removeprefix("exit-code-"))
            for command, output in snippet.commands:
                self._type(command, output, expected)

    def _type(self, command: str, output: list[str], expected: int) -> None:
        done = run(command, self.folder)
        self._errors = done.stderr
        assert done.returncode == expected, f"$ {command}\n{done.stdout}{done.stderr}"
        if output:
            missing = differing(output, done.stdout)
            assert not missing, f"$ {command}\n{done.stdout}{done.stderr}\nnot as shown: {missing}"
        claims = self.folder / "docs/_build/djconn/output.txt"
        if claims.exists():
            self.verdicts.append(claims.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Follower:
    follower = Follower(tmp_path_factory.mktemp("tutorial"))
    for snippet in snippets(PAGE):
        follower.follow(snippet)
    return follower


def test_the_tutorial_can_be_followed_to_its_end(followed: Follower) -> None:
    assert followed.verdicts[-1].endswith("2 claims, 2 as declared\n")


def test_its_true_claim_holds_and_its_false_one_is_refuted(followed: Follower) -> None:
    page = followed.folder.joinpath("docs/_build/html/index.html").read_text(encoding="utf-8")
    assert page.count('class="djconn-verdict djconn-holds"') == 1
    assert page.count('class="djconn-verdict djconn-refuted"') == 1


def test_it_leaves_nothing_in_the_readers_project(followed: Follower) -> None:
    project = followed.folder / "mysite"
    names = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    apps = {f"mysite/{name}.py" for name in ("__init__", "asgi", "settings", "urls", "wsgi")}
    assert names == {"manage.py"} | apps
