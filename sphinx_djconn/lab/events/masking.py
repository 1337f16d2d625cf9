"""Decide which values are secrets, and in which forms they may appear.

The name shows how likely the value is a secret, and then the value's entropy decides. An ordinary word is no
secret, whatever its name is: masking it would protect nobody, and pages could not show it.
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
"""Names of secrets, and of other values."""

_MIN_LENGTH: Final = 4
_MIN_BITS: Final = 12.0
"""The minimum entropy of a secret with a strong name. A word has 11 bits."""

_MIN_RANDOM_BITS: Final = 50.0
"""The minimum entropy of a secret with a weak name: it must look random."""

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
_WORD_LENGTHS: Final = range(3, 17)

_RUNS: Final = re.compile(r"[^\W_]+|\W|_")
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\w+")
_PARTS: Final = re.compile(r"[/:?&=.,\s]+")
_BITS: Final = {"word": 11.0, "letter": 4.7, "digit": 3.3, "separator": 1.0, "sign": 5.0}
_SEPARATORS: Final = frozenset(" -_./:,")

_MIN_PART: Final = 8
"""The minimum length of a part of Base64 that identifies a secret."""


def is_secret(name: str, value: str) -> bool:
    """Return whether ``value``, the value of ``name``, has to be masked."""
    if len(value) < _MIN_LENGTH or value.lower() in _ORDINARY:
        return False
    if _STRONG.search(name):
        return bits(value) >= _MIN_BITS or value.isalpha()
    return bool(_WEAK.search(name)) and max(map(bits, _PARTS.split(value))) >= _MIN_RANDOM_BITS


def bits(value: str) -> float:
    """Return the estimated entropy of ``value`` in bits. A word counts as a whole."""
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
    if run.isalpha() and len(run) in _WORD_LENGTHS:
        return _BITS["word"]
    return sum(_BITS["digit" if character.isdigit() else "letter"] for character in run)


@lru_cache(maxsize=64)
def forms(secret: str) -> tuple[str, ...]:
    """Return ``secret``, and how it appears when it is printed, quoted or encoded."""
    return tuple(dict.fromkeys(each for each in _forms(secret) if len(each) >= _MIN_LENGTH))


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
    if len(secret) > _MIN_LENGTH:
        yield raw.hex()
        yield raw.hex().upper()
    for part in _base64(raw):
        yield part
        yield part.translate(str.maketrans("+/", "-_"))


def _base64(raw: bytes) -> Iterator[str]:
    """Yield ``raw`` in Base64: alone, and the part that is the same if it is a part of longer data."""
    yield base64.b64encode(raw).decode().rstrip("=")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        part = encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        if len(part) >= _MIN_PART:
            yield part


def lines(secrets: Iterable[str], min_length: int = 1) -> Iterator[str]:
    """Yield the lines of ``secrets``. If a secret has several, the short ones are left out."""
    for secret in secrets:
        stripped = [line.strip() for line in secret.splitlines()]
        minimum = min_length if len(stripped) == 1 else _MIN_PART
        yield from (line for line in stripped if len(line) >= minimum)
