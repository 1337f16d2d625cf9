"""Unexpected exceptions: they concern one scenario, claim or figure, and the build goes on."""

import re
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final

from sphinx.util import logging

logger = logging.getLogger(__name__)

_REPORT_TO: Final = "https://github.com/sphinx-djconn/sphinx-djconn/issues"
_MESSAGE_LENGTH: Final = 200


class BugReports:
    """Writes the traceback of each unexpected exception into ``folder``, unless that is ``None``."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def message(self, error: BaseException, doing: str, subject: str) -> str:
        """Save the traceback of ``error``, and return the message for a warning and the page.

        ``doing`` says what was done, such as ``it was judged``; ``subject`` is the name of a scenario or claim.
        """
        text = "".join(traceback.format_exception(error))
        logger.debug("djconn: %s", text)
        file = ""
        if self._folder is not None:
            path = self._folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', subject)[:80]}.txt"
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8", errors="backslashreplace")
                file = f", with the file `djconn/bugs/{path.name}` of the doctrees"
        short = " ".join(f"{type(error).__name__}: {error}".split())
        short = short if len(short) <= _MESSAGE_LENGTH else f"{short[:_MESSAGE_LENGTH]}…"
        return (
            f"a bug of sphinx_djconn, not a mistake of the page: {short} (while {doing}); "
            f"please report it at {_REPORT_TO}{file}"
        )
