"""What results the pages of an output folder were written with, from one build to the next."""

import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.application import Sphinx

from sphinx_djconn.ext.up_to_date import UpToDateStamp
from sphinx_djconn.hashing import digest

if TYPE_CHECKING:
    from sphinx_djconn.ext.results import Results


class WrittenPages:
    """Digests of results by page, in a file for each builder and output folder; and the seal of the check.

    Not in the environment: that is one for all builders, and is saved before the pages are written, which
    may be interrupted.
    """

    def __init__(self, app: Sphinx) -> None:
        self._outdir = str(app.outdir)
        self._folder = Path(app.doctreedir) / "djconn" / "written"
        self._path = self._folder / f"{digest([app.builder.name, self._outdir])[:20]}.json"

    @cached_property
    def _found(self) -> dict[str, Any]:
        return _read(self._path)

    @property
    def digests(self) -> dict[str, str]:
        """The digests, by page."""
        found: dict[str, str] = self._found.get("pages", {})
        return found

    @property
    def seal(self) -> UpToDateStamp | None:
        """The seal of a check after which every page was as it had found it to be."""
        found = self._found.get("seal")
        return None if found is None else UpToDateStamp(*found)

    def output_folders(self) -> list[Path]:
        """Return the output folder of this build, and those of all earlier ones."""
        earlier = [_read(path).get("outdir") for path in self._folder.glob("*.json")]
        return [Path(outdir) for outdir in {self._outdir, *filter(None, earlier)}]

    def update(self, results: "Results") -> None:
        """Keep the digests of the pages that were written with ``results``, and the seal if these are all."""
        shown = results.shown
        kept = {page: digest for page, digest in self.digests.items() if page in shown}
        kept |= {page: digest for page, digest in shown.items() if page in results.rendered}
        seal = results.seal if kept == shown else None
        text = json.dumps({"outdir": self._outdir, "pages": kept, "seal": seal})
        if json.loads(text) == _read(self._path):
            return
        with suppress(OSError):  # then these pages are written once more
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path.write_text(text, "utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
