"""Mask what pages must not show of logs and responses: secrets, paths, times, and numbers of this machine."""

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
"""Environment variables whose values are not private."""

_PLAIN_VALUE: Final = re.compile(r"[A-Za-z]*|[\d.]*|localhost:\d+")
"""Values that are ordinary words. The server's own messages may contain them."""

_SECRET: Final = "<secret>"  # noqa: S105 - what is shown for one
_ENVIRONMENT: Final = "<environment>"
_MASKS: Final = {
    _SECRET: "it was masked as a secret",
    "<password>": "it was masked as a secret",
    _ENVIRONMENT: "it was masked as a value of the environment",
}
"""The texts that replace private ones, and why the value of a response that contains one is unknown."""

_MIN_VALUE: Final = 8
"""The minimum length of a value of the environment that is masked although it is no secret."""

_MIN_SUBSTRING: Final = 6
"""A shorter secret, or one of digits only, is masked only if no letter or digit is next to it."""

_MAX_LINE: Final = 2000

_URL_PASSWORD: Final = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")
_PATH: Final = re.compile(
    r"(?<![\w.<>~/-])/(?!/)(?P<first>[^\s/:;,'\"()<>|\[\]{}]+/[^\s/:;,'\"()<>|\[\]{}]+)"
    r"(?:/[^\s/:;,'\"()<>|\[\]{}]*)*"
)
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""A lone surrogate, which JSON can contain, but UTF-8 cannot."""

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
    # Of processes and threads without a probe, and ports between them.
    (re.compile(r"(?P<before>\b[pt]id\W{1,2})\d+\b"), r"\g<before><pid>"),
    (re.compile(r"(?P<before>\b127\.0\.0\.1:)\d{5}\b"), r"\g<before><port>"),
)

_MATCHES_NOTHING: Final = re.compile("(?P<before>)(?!)")


class Sanitizer:
    """Replaces in texts what belongs to this machine, or is secret.

    ``places`` maps absolute paths to what is shown in their place, and ``names`` other texts. ``secrets`` are
    texts to mask. ``env`` are environment variables, in addition to those of this process.
    """

    def __init__(
        self,
        places: Mapping[Path, str],
        secrets: Iterable[str] = (),
        env: Iterable[tuple[str, str]] = (),
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._replacements = {
            **_machine_paths(tempfile.gettempdir(), Path.cwd(), Path.home()),
            **_path_replacements(dict(places)),
            **_environment_values((*os.environ.items(), *_initial_environ(), *env)),
            **(names or {}),
            **{form: _SECRET for secret in lines(secrets) for form in forms(secret)},
        }

    def text(self, text: str, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> str:
        """Return ``text`` with everything replaced. ``ports`` and ``pids`` are those of the run."""
        return _Replacer(self._replacements, text, ports, pids).replace(text)

    def lines(self, log: bytes, ports: Iterable[int] = (), pids: Iterable[int] = ()) -> tuple[str, ...]:
        """Return the lines of ``log`` with everything replaced. Bytes that are not UTF-8 are escaped."""
        text = log.decode("utf-8", "backslashreplace")
        replacer = _Replacer(self._replacements, text, ports, set(pids) - {0})
        return tuple(replacer.replace(line) for line in text.split("\n")[: _count_lines(text)])

    def value(self, value: Any) -> tuple[Any, list[list[Any]]]:
        """Return a JSON value with everything replaced in its strings and keys, and what is unknown of it now.

        The latter is a list of places (keys and indices, from the outside in) with reasons: no claim may
        compare what is there. Paths of this machine are not in the list, because their replacement, such as
        ``<project>``, is the same everywhere.
        """
        replacer = _Replacer(self._replacements, "\n".join(_texts(value)), (), ())
        unknown: list[list[Any]] = []
        return _replace_in_value(value, replacer, [], unknown), unknown


@cache
def _machine_paths(temporary: str, working: Path, home: Path) -> dict[str, str]:
    """Return the replacements for folders that are the same for all runs."""
    return _path_replacements(
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


def _path_replacements(paths: dict[Path, str]) -> dict[str, str]:
    """Return the replacements for ``paths`` and their targets. If some are equal, the first one counts."""
    labels = {str(path): label for path, label in reversed(paths.items()) if len(path.parts) > 1}
    return labels | {str(Path(path).resolve()): label for path, label in labels.items()}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for each in value:
            yield from _texts(each)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))


def _replace_in_value(value: Any, replacer: "_Replacer", place: list[Any], unknown: list[list[Any]]) -> Any:
    if isinstance(value, str):
        text, reason = replacer.examine(value)
        if reason:
            unknown.append([place, reason])
        return text
    if isinstance(value, list):
        return [_replace_in_value(each, replacer, [*place, index], unknown) for index, each in enumerate(value)]
    if isinstance(value, dict):
        names = {key: replacer.examine(key) for key in value}
        if len({text for text, _ in names.values()}) < len(names):  # two have the same replacement
            unknown.append([place, "it has names that were masked as secrets, or are of this machine"])
        replaced = {}
        for key, each in value.items():
            name, reason = names[key]
            replaced[name] = _replace_in_value(each, replacer, [*place, name], unknown)
            if reason:
                unknown.append([[*place, name], f"its name is not known: {reason}", True])
        return replaced
    return value


class _Replacer:
    """Replaces texts in the lines of ``whole``, which is a log, for example."""

    def __init__(
        self, replacements: Mapping[str, str], whole: str, ports: Iterable[int], pids: Iterable[int]
    ) -> None:
        self._replacements = {text: shown for text, shown in replacements.items() if text in whole}
        # The longest come first, because a path or a secret may contain another one.
        longest_first = sorted(self._replacements, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(self._alternative, longest_first)) or "(?!)")
        # Only after these texts: a status or a size may be the same number by chance.
        self._port = _numbers_after(r":|', |\bport\W{1,3}", ports)
        self._pid = _numbers_after(r"\[|\(|\b(?:pid|process|worker)\W{1,3}", pids)

    def _alternative(self, text: str) -> str:
        """Return a pattern for ``text``. A secret is masked anywhere, other texts only as whole words."""
        if self._replacements[text] == _SECRET:
            if len(text) < _MIN_SUBSTRING or text.isdigit():
                return rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])"
            return re.escape(text)
        before = r"(?<!\w)" if text[0].isalnum() else ""
        after = r"(?!\w)" if text[-1].isalnum() else ""
        return before + re.escape(text) + after

    def replace(self, line: str) -> str:
        """Return ``line`` with everything replaced."""
        return self._replace_numbers(self._replace_names(line)[0])

    def examine(self, text: str) -> tuple[str, str]:
        """Return ``text`` with everything replaced, and why it is unknown now, or an empty string."""
        named, masks = self._replace_names(text)
        shown = self._replace_numbers(named)
        if masks:
            return shown, _MASKS[max(masks, key=lambda mask: mask != _ENVIRONMENT)]
        if shown == named and not _ESCAPES.search(text) and not _SURROGATE.search(text):
            return shown, ""
        visible = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in shown[:60])
        return shown, f"it is another one in each run, or cannot be shown as it is: `{visible}`"

    def _replace_names(self, line: str) -> tuple[str, list[str]]:
        """Replace secrets, names and paths. Return the line, and the masks of private texts in it."""
        masks: list[str] = []

        def shown(match: re.Match[str]) -> str:
            text = self._replacements[match[0]]
            masks.extend([text] if text in _MASKS else [])
            return text

        # Also before control characters are removed, which separate variables in /proc/self/environ.
        line = self._pattern.sub(shown, line)
        line = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", line))
        line = self._pattern.sub(shown, line)
        line, passwords = _URL_PASSWORD.subn(f"://{_SECRET}@", line)
        return _PATH.sub(_shown_path, line), [*masks, *[_SECRET] * passwords]

    def _replace_numbers(self, line: str) -> str:
        """Replace times, ports, process ids and addresses, and truncate a long line."""
        for pattern in _TIMES:
            line = pattern.sub("<time>", line)
        line = self._port.sub(r"\g<before><port>", line)
        line = self._pid.sub(r"\g<before><pid>", line)
        for pattern, shown in _MACHINE:
            line = pattern.sub(shown, line)
        return line if len(line) <= _MAX_LINE else line[:_MAX_LINE] + " …"


def _numbers_after(before: str, numbers: Iterable[int]) -> re.Pattern[str]:
    alternatives = "|".join(map(str, numbers))
    if not alternatives:
        return _MATCHES_NOTHING
    return re.compile(rf"(?P<before>{before})(?:{alternatives})(?!\d)", re.IGNORECASE)


class LineCounter:
    """Converts a position in the log, in bytes, to the number of complete lines before it."""

    def __init__(self, log: bytes) -> None:
        self._ends = [match.end() for match in re.finditer(b"\n", log)]

    def __call__(self, position: int) -> int:
        """Return how many lines end at or before ``position``."""
        return bisect_right(self._ends, position)


def _count_lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _shown_path(match: re.Match[str]) -> str:
    """Return the replacement for an absolute path: its last part, if the path may exist on this machine."""
    path = match[0]
    return f"<path>/{os.path.basename(path)}" if os.path.exists(f"/{match['first']}") else path  # noqa: PTH110, PTH119


@lru_cache(maxsize=8)
def _environment_values(variables: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the replacements for the values of environment variables."""
    replacements: dict[str, str] = {}
    for name, value in variables:
        if os.path.exists(value):  # noqa: PTH110 - Path.exists fails for long values
            continue
        for password in _URL_PASSWORD.findall(value):
            replacements |= dict.fromkeys(forms(password), _SECRET)
        if is_secret(name, value):
            replacements |= {form: _SECRET for line in lines([value]) for form in forms(line)}
        elif not (_PLAIN_NAME.fullmatch(name) or _PLAIN_VALUE.fullmatch(value)):
            values = [line for line in lines([value], _MIN_VALUE) if line not in replacements]
            replacements |= dict.fromkeys(values, _ENVIRONMENT)
    return replacements


@cache
def _initial_environ() -> tuple[tuple[str, str], ...]:
    """Return the variables that this process was started with. conf.py may have removed some."""
    try:
        environ = Path("/proc/self/environ").read_bytes()
    except OSError:
        return ()
    pairs = (os.fsdecode(pair).partition("=") for pair in environ.split(b"\0"))
    return tuple((name, value) for name, _, value in pairs if value)
