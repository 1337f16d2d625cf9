"""What is a secret, and in which forms it can come to light.

A name says how likely its value is a secret; how hard the value would be to guess decides. A word that
everybody uses is none, whatever its name is: to hide it would protect nobody, and pages would lose it.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

_STRONG: Final = re.compile(
    "PASS|PWD|SECRET|TOKEN|CREDENTIAL|SIGNATURE|PRIVATE|(?:API|ACCESS|SIGNING|ENCRYPTION|AUTH)_?KEY",
    re.IGNORECASE,
)
"""Names of secrets."""

_WEAK: Final = re.compile("API|AUTH|KEY|SALT|COOKIE|CERT", re.IGNORECASE)
"""Names of secrets, and of much else."""

_LEAST: Final = 4
_GUESSED: Final = 12.0
"""Bits that a value with the name of a secret has at least, for it to be one: a word has 11."""

_RANDOM: Final = 50.0
"""Bits that a value has at least which has been made at random, or whose name may mean something else."""

_ORDINARY: Final = frozenset(
    [
        "admin",
        "api",
        "auth",
        "cache",
        "changeme",
        "csrftoken",
        "debug",
        "default",
        "development",
        "django",
        "example",
        "false",
        "guest",
        "key",
        "local",
        "localhost",
        "mariadb",
        "mysql",
        "none",
        "null",
        "password",
        "postgres",
        "postgresql",
        "production",
        "python",
        "redis",
        "root",
        "secret",
        "session",
        "sessionid",
        "sqlite",
        "staging",
        "test",
        "testing",
        "token",
        "true",
        "user",
    ]
)
_WORD: Final = range(3, 17)
"""How many letters a word has."""

_RUNS: Final = re.compile(r"[^\W_]+|\W|_")
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\w+")
_PARTS: Final = re.compile(r"[/:?&=.,\s]+")
_BITS: Final = {"word": 11.0, "letter": 4.7, "digit": 3.3, "separator": 1.0, "sign": 5.0}
_SEPARATORS: Final = frozenset(" -_./:,")

_LEAST_PART: Final = 8
"""The least characters of a part of Base64 by which a secret can be told from chance."""


def is_secret(name: str, value: str) -> bool:
    """Return whether ``value``, which is called ``name``, has to be masked."""
    if len(value) < _LEAST or value.lower() in _ORDINARY:
        return False
    if _STRONG.search(name):
        return bits(value) >= _GUESSED or value.isalpha()
    return bool(_WEAK.search(name)) and max(map(bits, _PARTS.split(value))) >= _RANDOM


def bits(value: str) -> float:
    """Return about how many bits it takes to guess ``value``, words being guessed as a whole."""
    total = 0.0
    for run in _RUNS.findall(value):
        if run.isalnum():
            mixed = not run.isalpha() and not run.isdigit()
            words = [run] if mixed else _WORDS.findall(run)
            total += sum(map(_run_bits, words))
        else:
            total += _BITS["separator" if run in _SEPARATORS else "sign"]
    return total


def _run_bits(run: str) -> float:
    if run.isalpha() and len(run) in _WORD:
        return _BITS["word"]
    return sum(_BITS["digit" if character.isdigit() else "letter"] for character in run)


@lru_cache(maxsize=64)
def forms(secret: str) -> tuple[str, ...]:
    """Return how ``secret`` is written by what prints, quotes and encodes it; itself first."""
    return tuple(dict.fromkeys(each for each in _forms(secret) if len(each) >= _LEAST))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield secret.strip()
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    yield secret.replace("\\", "\\\\").replace("'", "\\'")
    raw = secret.encode("utf-8", "surrogateescape")
    yield repr(raw)[2:-1]
    yield raw.decode("utf-8", "backslashreplace")
    yield html.escape(secret)
    yield html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield quote(raw, safe="")
    yield quote(raw)
    yield quote_plus(raw)
    if len(secret) > _LEAST:
        yield raw.hex()
        yield raw.hex().upper()
    for part in _base64(raw):
        yield part
        yield part.translate(str.maketrans("+/", "-_"))


def _base64(raw: bytes) -> Iterator[str]:
    """Yield what Base64 makes of ``raw``: alone, and the part that stays the same in something longer."""
    yield base64.b64encode(raw).decode().rstrip("=")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        part = encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        if len(part) >= _LEAST_PART:
            yield part


def lines(secrets: Iterable[str], least: int = 1) -> Iterator[str]:
    """Yield ``secrets``, one that has several lines by lines; of these, only those that say something."""
    for secret in secrets:
        found = [line.strip() for line in secret.splitlines()]
        minimum = least if len(found) == 1 else _LEAST_PART
        yield from (line for line in found if len(line) >= minimum)
