"""Which pages must be written again: those that show other results than the ones they were written with."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.application import Sphinx

from sphinx_djconn.ext.registry import DeclaredClaim, Page
from sphinx_djconn.ext.up_to_date import UpToDateStamp
from sphinx_djconn.hashing import digest

if TYPE_CHECKING:  # an unchanged build does not import it
    from sphinx_djconn.ext.results import Results


class WrittenPages:
    """The digests of the results that pages were written with, and the stamp of the check.

    They are in a file for each builder and output folder. The environment cannot hold them: all builders share
    it, and Sphinx saves it before the pages are written.
    """

    def __init__(self, app: Sphinx) -> None:
        self._outdir = str(app.outdir)
        self._folder = Path(app.doctreedir) / "djconn" / "written"
        self._path = self._folder / f"{digest([app.builder.name, self._outdir])[:20]}.json"

    @cached_property
    def _content(self) -> dict[str, Any]:
        return _read(self._path)

    @property
    def digests(self) -> dict[str, str]:
        """The digests, by page."""
        digests: dict[str, str] = self._content.get("pages", {})
        return digests

    @property
    def stamp(self) -> UpToDateStamp | None:
        """The stamp of the last check, if no page had to be written again and no warning was logged."""
        stamp = self._content.get("stamp")
        return None if stamp is None else UpToDateStamp(*stamp)

    def output_folders(self) -> list[Path]:
        """Return the output folder of this build, and those of all earlier ones."""
        earlier = [_read(path).get("outdir") for path in self._folder.glob("*.json")]
        return [Path(outdir) for outdir in {self._outdir, *filter(None, earlier)}]

    def save(self, pages: Mapping[str, Page], results: "Results") -> None:
        """Save the digests of those ``pages`` that were written with ``results``.

        The stamp is saved only if all other pages are up to date.
        """
        current = page_digests(pages, results)
        written = {page: digest for page, digest in self.digests.items() if page in current}
        written |= {page: digest for page, digest in current.items() if page in results.rendered}
        complete = written == current and not results.recordings.unreadable
        stamp = results.stamp if complete else None
        text = json.dumps({"outdir": self._outdir, "pages": written, "stamp": stamp})
        if json.loads(text) == _read(self._path):
            return
        with suppress(OSError):  # the next build then writes these pages again
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path.write_text(text, "utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def outdated_pages(pages: Mapping[str, Page], results: "Results", written: Mapping[str, str]) -> list[str]:
    """Return the names of those ``pages`` whose digest is not the ``written`` one."""
    return [page for page, digest in page_digests(pages, results).items() if written.get(page) != digest]


def page_digests(pages: Mapping[str, Page], results: "Results") -> dict[str, str]:
    """Return for each page a digest of all results that it shows."""
    return {docname: _page_digest(page, results) for docname, page in sorted(pages.items())}


def _page_digest(page: Page, results: "Results") -> str:
    names = set(results.claims) if page.lists_all else {claim.name for claim in page.claims} | page.linked
    claims = [results.claims[name] for name in sorted(names) if name in results.claims]
    targets = page.shown | {use.target for use in page.facts}
    return digest(
        [
            {name: results.target_digest(name) for name in sorted(targets)},
            {claim.name: _shown_of_claim(claim, results) for claim in claims},
            sorted({version for claim in claims for version in results.checked_with(claim, all_cells=True)}),
        ]
    )


def _shown_of_claim(claim: DeclaredClaim, results: "Results") -> list[str]:
    search = results.searches.get(claim.name)
    cells = search.cells.values() if search else ()
    return [
        *results.judgement(claim.name),
        results.verdict_text(claim.name),
        claim.target_text,
        claim.declared,
        claim.sentence,
        claim.location.docname,
        *(results.recordings.digest(cell.name) for cell in cells),
    ]
