"""Errors of the extension's own: they concern one scenario, claim or figure, and are said as what they are."""

import re
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx.util import logging

logger = logging.getLogger(__name__)

_REPORT_TO: Final = "https://github.com/sphinx-djconn/sphinx-djconn/issues"
_LONGEST: Final = 200


class Bugs:
    """Keeps tracebacks in ``folder``, which is in that of the doctrees; nowhere where it is ``None``."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def message(self, error: BaseException, doing: str, subject: str) -> str:
        """Return what a warning and a page say of ``error``, which came while ``doing``; keep its traceback.

        ``subject`` is the name of a scenario or claim.
        """
        text = "".join(traceback.format_exception(error))
        logger.debug("djconn: %s", text)
        kept = ""
        if self._folder is not None:
            path = self._folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', subject)[:80]}.txt"
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8", errors="backslashreplace")
                kept = f", with the file `djconn/bugs/{path.name}` of the doctrees"
        said = " ".join(f"{type(error).__name__}: {error}".split())
        said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
        return (
            f"a bug of sphinx_djconn, and nothing that the page could be blamed for: {said} (while {doing}); "
            f"please report it at {_REPORT_TO}{kept}"
        )


def warn(subject: str, message: str, subtype: str, location: str) -> None:
    """Warn of ``subject``, a directive or role, at ``location``, a file and a line."""
    logger.warning("%s: %s", subject, message, type="djconn", subtype=subtype, location=location)
