"""What results the pages of an output folder were written with, from one build to the next."""

import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from sphinx.application import Sphinx

from sphinx_djconn.ext.results import Results
from sphinx_djconn.store import digest


class Written:
    """Digests of results by page, in a file for each builder and output folder.

    Not in the environment: that is one for all builders, and is saved before the pages are written, which
    may be interrupted.
    """

    def __init__(self, app: Sphinx) -> None:
        name = digest([app.builder.name, str(app.outdir)])[:20]
        self._path = Path(app.doctreedir) / "djconn" / "written" / f"{name}.json"

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digests, by page."""
        try:
            found: dict[str, str] = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def update(self, results: Results) -> None:
        """Keep the digests of the pages that were written with ``results``."""
        shown = results.shown()
        kept = {page: digest for page, digest in self.digests.items() if page in shown}
        kept |= {page: digest for page, digest in shown.items() if page in results.rendered}
        with suppress(OSError):  # then these pages are written once more
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(kept), "utf-8")
