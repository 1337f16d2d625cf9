"""The server's log as pages may show it: no secrets, no paths, no times, no numbers of the machine."""

import os
import re
import sys
import sysconfig
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.events.masking import forms, is_secret, lines

_PLAIN_NAME: Final = re.compile("LANG|LANGUAGE|LC_.*|TERM|COLORTERM|TZ|PYTHON.*|DJANGO_SETTINGS_MODULE")
"""Environment variables whose values say nothing of anybody."""

_PLAIN_VALUE: Final = re.compile(r"[A-Za-z]*|[\d.]*|localhost:\d+")
"""Values that are words of everybody's: hidden, they would be missed in the server's own sentences."""

_SECRET: Final = "<secret>"  # noqa: S105 - what is shown for one
_ENVIRONMENT: Final = "<environment>"
_MASKS: Final = {
    _SECRET: "it was masked as a secret",
    "<password>": "it was masked as a secret",
    _ENVIRONMENT: "it was masked as a value of the environment",
}
"""What is shown for what nobody may see, and why nothing is known of a value that has it."""

_LEAST_VALUE: Final = 8
"""The least characters of a value of the environment that is hidden though it is no secret."""

_SHORT: Final = 6
"""A secret with fewer characters, or of digits alone, is looked for where no letter or digit is beside it."""

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
        hidden = _of_environment((*os.environ.items(), *_begun_with(), *env))
        known = machine | _of_paths(dict(places)) | hidden | dict(names or {})
        self._known = known | {form: _SECRET for secret in lines(secrets) for form in forms(secret)}

    def text(self, text: str, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> str:
        """Return ``text`` with everything replaced; ``ports`` and ``pids`` are those of the run."""
        return _Replacing(self._known, text, ports, pids)(text)

    def lines(self, log: bytes, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> tuple[str, ...]:
        """Return the lines of ``log``, whatever bytes it is made of."""
        text = log.decode("utf-8", "backslashreplace")
        replace = _Replacing(self._known, text, ports, set(pids) - {0})
        return tuple(replace(line) for line in text.split("\n")[: _count(text)])

    def value(self, value: Any) -> tuple[Any, list[list[Any]]]:
        """Return a value of JSON with everything replaced in its texts, keys of objects among them.

        With it comes what is not known of it any more, so that no claim may compare it: a list of places (keys
        and indices, from the outside in) and reasons. Paths of this machine are not among it: they are replaced
        by what stands for them everywhere, as ``<project>``.
        """
        replace = _Replacing(self._known, "\n".join(_texts(value)), (), ())
        lost: list[list[Any]] = []
        return _mapped(value, replace, [], lost), lost


@cache
def _of_machine(temporary: str, working: Path, home: Path) -> dict[str, str]:
    """Return what is shown for the folders that every run has in common."""
    return _of_paths(
        {
            Path(sysconfig.get_path("purelib")): "<site-packages>",
            Path(sysconfig.get_path("stdlib")): "<python>",
            Path(sys.prefix): "<python>",
            Path(__file__).parents[2]: "<sphinx_djconn>",
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


def _mapped(value: Any, replace: "_Replacing", place: list[Any], lost: list[list[Any]]) -> Any:
    if isinstance(value, str):
        shown, reason = replace.examined(value)
        if reason:
            lost.append([place, reason])
        return shown
    if isinstance(value, list):
        return [_mapped(each, replace, [*place, index], lost) for index, each in enumerate(value)]
    if isinstance(value, dict):
        names = {key: replace.examined(key) for key in value}
        if len({text for text, _ in names.values()}) < len(names):  # two of them are shown alike
            lost.append([place, "it has names that were masked as secrets, or are of this machine"])
        changed = {}
        for key, each in value.items():
            name, reason = names[key]
            changed[name] = _mapped(each, replace, [*place, name], lost)
            if reason:
                lost.append([[*place, name], f"its name is not known: {reason}", True])
        return changed
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
        if self._known[text] == _SECRET and (len(text) < _SHORT or text.isdigit()):
            return rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])"
        if self._known[text] == _SECRET and len(text) >= _SHORT and not text.isdigit():
            return re.escape(text)
        before = r"(?<!\w)" if text[0].isalnum() else ""
        after = r"(?!\w)" if text[-1].isalnum() else ""
        return before + re.escape(text) + after

    def __call__(self, line: str) -> str:
        """Return ``line`` with everything replaced."""
        return self._without_times(self._without_names(line)[0])

    def examined(self, text: str) -> tuple[str, str]:
        """Return ``text`` with everything replaced, and why it is not known any more; nothing where it is."""
        named, masks = self._without_names(text)
        shown = self._without_times(named)
        if masks:
            return shown, _MASKS[max(masks, key=lambda mask: mask != _ENVIRONMENT)]
        if shown == named and not _ESCAPES.search(text) and not _SURROGATE.search(text):
            return shown, ""
        visible = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in shown[:60])
        return shown, f"it is another one in each run, or cannot be shown as it is: `{visible}`"

    def _without_names(self, line: str) -> tuple[str, list[str]]:
        """Return ``line`` without secrets, and names and paths of this machine; and what stands for secrets."""
        masks: list[str] = []

        def shown(match: re.Match[str]) -> str:
            found = self._known[match[0]]
            masks.extend([found] if found in _MASKS else [])
            return found

        # Before control characters go, too: they are what separates variables in /proc/self/environ.
        line = self._pattern.sub(shown, line)
        line = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", line))
        line = self._pattern.sub(shown, line)
        line, passwords = _URL_PASSWORD.subn(f"://{_SECRET}@", line)
        return _PATH.sub(_shown_path, line), [*masks, *[_SECRET] * passwords]

    def _without_times(self, line: str) -> str:
        """Return ``line`` without times, ports, process ids and addresses, cut where it is long."""
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
    hidden: dict[str, str] = {}
    for name, value in variables:
        if os.path.exists(value):  # noqa: PTH110 - of a long value, too
            continue
        for password in _URL_PASSWORD.findall(value):
            hidden |= dict.fromkeys(forms(password), _SECRET)
        if is_secret(name, value):
            hidden |= {form: _SECRET for line in lines([value]) for form in forms(line)}
        elif not (_PLAIN_NAME.fullmatch(name) or _PLAIN_VALUE.fullmatch(value)):
            hidden |= {line: _ENVIRONMENT for line in lines([value], _LEAST_VALUE) if line not in hidden}
    return hidden


@cache
def _begun_with() -> tuple[tuple[str, str], ...]:
    """Return the variables that this process was started with, which conf.py may have taken away since."""
    try:
        found = Path("/proc/self/environ").read_bytes()
    except OSError:
        return ()
    pairs = (os.fsdecode(pair).partition("=") for pair in found.split(b"\0"))
    return tuple((name, value) for name, _, value in pairs if value)
