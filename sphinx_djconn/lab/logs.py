"""The server's log as pages may show it: no secrets, no paths, no times, no numbers of the machine."""

import os
import re
import sys
import sysconfig
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

_SECRET_NAME: Final = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|CREDENTIAL", re.IGNORECASE)
_PLAIN_NAME: Final = re.compile("LANG|LANGUAGE|LC_.*|TERM|COLORTERM|TZ|PYTHON.*|DJANGO_SETTINGS_MODULE")
"""Environment variables whose values say nothing of anybody."""

_PLAIN_VALUE: Final = re.compile(r"[A-Za-z]*|[\d.]*|localhost:\d+")
"""Values that are words of everybody's: hidden, they would be missed in the server's own sentences."""

_SECRET: Final = "<secret>"  # noqa: S105 - what is shown for one
_LEAST_SECRET: Final = 8
_LONGEST_LINE: Final = 2000

_URL_PASSWORD: Final = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")
_PATH: Final = re.compile(
    r"(?<![\w.<>~/-])/(?!/)(?P<first>[^\s/:;,'\"()<>|\[\]{}]+/[^\s/:;,'\"()<>|\[\]{}]+)"
    r"(?:/[^\s/:;,'\"()<>|\[\]{}]*)*"
)
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON can spell and no file can hold."""

_TIMES: Final = (
    re.compile(r"\d{1,2}/[A-Z][a-z]{2}/\d{4}[ :]\d\d:\d\d:\d\d(?: [+-]\d{4})?"),  # access logs
    re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[+-]\d\d:?\d\d|Z)?"),  # ISO 8601
    re.compile(r"[A-Z][a-z]+ \d\d, \d{4} - \d\d:\d\d:\d\d"),  # the banner of runserver
    re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4}"),  # asctime
    re.compile(r"(?<=\bin )\d+(?:\.\d+)?(?= ?(?:seconds|msecs|ms)\b)|(?<![\w.])\d+\.\d+(?=ms\b)"),  # durations
    re.compile(r"(?<=\[)\d+\.\d\d(?=, \d+\.\d+\.\d+\.\d+:)"),  # how long a request took Daphne
)
_MACHINE: Final = (
    (re.compile(r"(?<!\w)0x[0-9a-f]{6,16}(?!\w)"), "<address>"),
    # Of processes and threads that have no probe, and of a port between two of them.
    (re.compile(r"(?P<before>\b[pt]id\W{1,2})\d+\b"), r"\g<before><pid>"),
    (re.compile(r"(?P<before>\b127\.0\.0\.1:)\d{5}\b"), r"\g<before><port>"),
)

_NO_NUMBER: Final = re.compile("(?P<before>)(?!)")


class Sanitizer:
    """Replaces in texts what belongs to this machine or must stay secret.

    ``places`` maps absolute paths to what is shown for them, ``names`` other texts; ``secrets`` are texts to
    hide.
    """

    def __init__(
        self,
        places: Mapping[Path, str],
        secrets: Iterable[str] = (),
        env: Iterable[tuple[str, str]] = (),
        names: Mapping[str, str] | None = None,
    ) -> None:
        machine = _of_machine(tempfile.gettempdir(), Path.cwd(), Path.home())
        hidden = _of_environment((*os.environ.items(), *env))
        known = machine | _of_paths(dict(places)) | hidden | dict(names or {})
        self._known = known | dict.fromkeys(_parts(secrets), _SECRET)

    def text(self, text: str, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> str:
        """Return ``text`` with everything replaced; ``ports`` and ``pids`` are those of the run."""
        return _Replacing(self._known, text, ports, pids)(text)

    def lines(self, log: bytes, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> tuple[str, ...]:
        """Return the lines of ``log``, whatever bytes it is made of."""
        text = log.decode("utf-8", "backslashreplace")
        replace = _Replacing(self._known, text, ports, set(pids) - {0})
        return tuple(replace(line) for line in text.split("\n")[: _count(text)])

    def value(self, value: Any) -> Any:
        """Return a value of JSON with everything replaced in its texts, keys of objects among them."""
        return _mapped(value, _Replacing(self._known, "\n".join(_texts(value)), (), ()))


@cache
def _of_machine(temporary: str, working: Path, home: Path) -> dict[str, str]:
    """Return what is shown for the folders that every run has in common."""
    return _of_paths(
        {
            Path(sysconfig.get_path("purelib")): "<site-packages>",
            Path(sysconfig.get_path("stdlib")): "<python>",
            Path(sys.prefix): "<python>",
            Path(__file__).parent.parent: "<sphinx_djconn>",
            Path(temporary): "<tmp>",
            working: "<cwd>",
            home: "~",
        }
    )


def _of_paths(paths: dict[Path, str]) -> dict[str, str]:
    """Return what is shown for ``paths``, of which the first are the most important, and where they lead."""
    known = {str(path): shown for path, shown in reversed(paths.items()) if len(path.parts) > 1}
    return known | {str(Path(path).resolve()): shown for path, shown in known.items()}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for each in value:
            yield from _texts(each)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {change(key): _mapped(each, change) for key, each in value.items()}
    return value


class _Replacing:
    """Replaces, in each line of a text, those of the ``known`` texts that the whole has anywhere."""

    def __init__(self, known: Mapping[str, str], whole: str, ports: Iterable[int], pids: Iterable[int]) -> None:
        self._known = {text: shown for text, shown in known.items() if text in whole}
        # The longest first: a path within another, a secret within another.
        longest = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(self._alternative, longest)) or "(?!)")
        # Only where they can be meant: a status or a size may be the same number by chance.
        self._port = _numbers(r":|', |\bport\W{1,3}", ports)
        self._pid = _numbers(r"\[|\(|\b(?:pid|process|worker)\W{1,3}", pids)

    def _alternative(self, text: str) -> str:
        """Return a pattern of ``text``: of a secret anywhere, of the rest not within a word."""
        if self._known[text] == _SECRET:
            return re.escape(text)
        before = r"(?<!\w)" if text[0].isalnum() else ""
        after = r"(?!\w)" if text[-1].isalnum() else ""
        return before + re.escape(text) + after

    def __call__(self, line: str) -> str:
        line = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", line))
        line = self._pattern.sub(lambda match: self._known[match[0]], line)
        line = _URL_PASSWORD.sub(f"://{_SECRET}@", line)
        line = _PATH.sub(_shown_path, line)
        for pattern in _TIMES:
            line = pattern.sub("<time>", line)
        line = self._port.sub(r"\g<before><port>", line)
        line = self._pid.sub(r"\g<before><pid>", line)
        for pattern, shown in _MACHINE:
            line = pattern.sub(shown, line)
        return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " …"


def _numbers(before: str, numbers: Iterable[int]) -> re.Pattern[str]:
    alternatives = "|".join(map(str, numbers))
    if not alternatives:
        return _NO_NUMBER
    return re.compile(rf"(?P<before>{before})(?:{alternatives})(?!\d)", re.IGNORECASE)


class LineCounter:
    """Turns a position in the log, in bytes, into the number of complete lines before it."""

    def __init__(self, log: bytes) -> None:
        self._ends = [match.end() for match in re.finditer(b"\n", log)]

    def __call__(self, position: int) -> int:
        """Return how many lines end at or before ``position``."""
        return bisect_right(self._ends, position)


def _count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _shown_path(match: re.Match[str]) -> str:
    """Return what is shown for an absolute path: its last name, where the path leads anywhere here."""
    path = match[0]
    return f"<path>/{os.path.basename(path)}" if os.path.exists(f"/{match['first']}") else path  # noqa: PTH110, PTH119


@lru_cache(maxsize=8)
def _of_environment(variables: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the values that are to be hidden, with what is shown for them."""
    hidden = {}
    for name, value in variables:
        secret = bool(_SECRET_NAME.search(name))
        plain = bool(_PLAIN_NAME.fullmatch(name) or _PLAIN_VALUE.fullmatch(value))
        if os.path.exists(value) or (plain and not secret):  # noqa: PTH110 - of a long value, too
            continue
        for part in _parts([value, *_URL_PASSWORD.findall(value)], _LEAST_SECRET):
            hidden[part] = _SECRET if secret else "<environment>"
    return hidden


def _parts(secrets: Iterable[str], least: int = 1) -> Iterator[str]:
    """Yield ``secrets``, one that has several lines by lines."""
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        minimum = least if len(lines) == 1 else _LEAST_SECRET
        yield from (line for line in lines if len(line) >= minimum)
