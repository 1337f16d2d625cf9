"""What a page tells its readers to write and to type: its blocks of code, in their order."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"

_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n"
    r"(?P<body>(?:(?P=indent)   .*\n|\n)+)",
    re.MULTILINE,
)
_OPTION = re.compile(r":(?P<name>[\w-]+): ?(?P<value>.*)")


class Snippet(NamedTuple):
    """A block of code: its language, its options, and what is in it."""

    language: str
    options: dict[str, str]
    text: str

    @property
    def file(self) -> tuple[str, bool] | None:
        """The file that the block is of, and whether the block goes to its end."""
        caption = self.options.get("caption")
        if caption is None:
            return None
        return caption.removesuffix(", at the end"), caption.endswith(", at the end")

    @property
    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """The commands that the block shows, each with the lines of its output."""
        for piece in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, *output = piece.splitlines()
            yield command, output


def snippets(page: Path) -> Iterator[Snippet]:
    """Yield the blocks of code in ``page``."""
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        margin = len(block["indent"]) + 3
        lines = [line[margin:] for line in block["body"].rstrip("\n").split("\n")]
        options = {}
        while lines and (option := _OPTION.fullmatch(lines[0])):
            options[option["name"]] = option["value"]
            del lines[0]
        yield Snippet(block["language"], options, "\n".join(lines).strip("\n") + "\n")


def write(snippet: Snippet, folder: Path) -> None:
    """Do with the snippet's file what the page tells its readers."""
    assert snippet.file is not None
    name, at_the_end = snippet.file
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") + "\n" if at_the_end else ""
    path.write_text(before + snippet.text, encoding="utf-8")


def differing(shown: list[str], printed: str) -> str:
    """Return the first line of ``shown`` that ``printed`` does not have in its place; ``...`` skips."""
    rest = [line.strip() for line in re.split(r"[\n\r]", printed) if line.strip()]
    skips = False
    for line in shown:
        if line == "...":
            skips = True
            continue
        if line not in rest or (not skips and rest[0] != line):
            return line
        rest = rest[rest.index(line) + 1 :]
        skips = False
    return "" if skips or not rest else rest[0]
