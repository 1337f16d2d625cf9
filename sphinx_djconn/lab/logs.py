"""The server's log as pages may show it: no secrets, no paths, no times, no numbers of the machine."""

import os
import re
import sysconfig
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_SECRET_NAME: Final = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|CREDENTIAL", re.IGNORECASE)
_LEAST_SECRET: Final = 8
_LONGEST_LINE: Final = 2000

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_TIMES: Final = (
    re.compile(r"\d{1,2}/[A-Z][a-z]{2}/\d{4}[ :]\d\d:\d\d:\d\d(?: [+-]\d{4})?"),  # access logs
    re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[+-]\d\d:?\d\d|Z)?"),  # ISO 8601
    re.compile(r"[A-Z][a-z]+ \d\d, \d{4} - \d\d:\d\d:\d\d"),  # the banner of runserver
)


class Sanitizer:
    """Replaces in texts what belongs to this machine or must stay secret.

    ``places`` maps absolute paths to what is shown for them; ``secrets`` are texts to hide.
    """

    def __init__(self, places: Mapping[Path, str], secrets: Iterable[str] = ()) -> None:
        paths = {
            **places,
            Path(sysconfig.get_path("purelib")): "<site-packages>",
            Path(sysconfig.get_path("stdlib")): "<python>",
            Path(__file__).parent.parent: "<sphinx_djconn>",
            Path.home(): "~",
        }
        known = {str(path): shown for path, shown in paths.items() if len(path.parts) > 1}
        known |= {str(Path(path).resolve()): shown for path, shown in known.items()}
        hidden = {secret for secret in secrets if secret.strip()} | _environment_secrets()
        known |= dict.fromkeys(hidden, "<secret>")
        self._known = known
        # The longest first: a path within another, a secret within another.
        alternatives = sorted(map(re.escape, known), key=len, reverse=True)
        self._pattern = re.compile("|".join(alternatives))

    def text(self, text: str, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> str:
        """Return ``text`` with everything replaced; ``ports`` and ``pids`` are those of the run."""
        text = _ESCAPES.sub("", text)
        text = self._pattern.sub(lambda match: self._known[match[0]], text)
        for pattern in _TIMES:
            text = pattern.sub("<time>", text)
        for numbers, shown in ((ports, "<port>"), (pids, "<pid>")):
            if alternatives := "|".join(str(number) for number in numbers):
                text = re.sub(rf"(?<!\d)(?:{alternatives})(?!\d)", shown, text)
        return text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + " …"

    def lines(self, log: bytes, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> tuple[str, ...]:
        """Return the lines of ``log``, whatever bytes it is made of."""
        ports, pids = sorted(set(ports)), sorted(set(pids) - {0})
        text = log.decode("utf-8", "backslashreplace")
        return tuple(self.text(line, ports, pids) for line in text.split("\n")[: _count(text)])


class LineCounter:
    """Turns a position in the log, in bytes, into the number of complete lines before it."""

    def __init__(self, log: bytes) -> None:
        self._ends = [match.end() for match in re.finditer(b"\n", log)]

    def __call__(self, position: int) -> int:
        """Return how many lines end at or before ``position``."""
        return bisect_right(self._ends, position)


def _count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _environment_secrets() -> set[str]:
    return {
        value
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value) >= _LEAST_SECRET and not Path(value).exists()
    }
