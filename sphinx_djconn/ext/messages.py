"""Warnings of the extension, and the wording that several of them share."""

import difflib
from collections.abc import Iterable
from typing import Final

from sphinx.config import Config
from sphinx.util import logging

logger = logging.getLogger(__name__)

_LISTED_MOST: Final = 12


def warn(subject: str, message: str, subtype: str, location: str) -> None:
    """Log a warning of the type ``djconn.`` + ``subtype``.

    ``subject`` names the directive or role; ``location`` is a file and a line, or the name of a page.
    """
    logger.warning("%s: %s", subject, message, type="djconn", subtype=subtype, location=location)


def is_suppressed(subtype: str, config: Config) -> bool:
    """Return whether ``suppress_warnings`` of conf.py suppresses the warnings ``djconn.`` + ``subtype``."""
    return logging.is_suppressed_warning("djconn", subtype, config.suppress_warnings)


def unknown(kind: str, text: str, valid: Iterable[str]) -> str:
    """Return the message that ``text`` is not one of the ``valid`` names, with the most similar of them."""
    names = [str(name) for name in valid]
    similar = difflib.get_close_matches(text, names, n=1)
    if similar and len(names) > _LISTED_MOST:
        return f"unknown {kind} `{text}`; did you mean `{similar[0]}`?"
    suggestion = f"; did you mean `{similar[0]}`?" if similar else "."
    more = f" and {len(names) - _LISTED_MOST} more" if len(names) > _LISTED_MOST else ""
    return f"unknown {kind} `{text}`{suggestion} Known: {', '.join(names[:_LISTED_MOST]) or 'none'}{more}"
