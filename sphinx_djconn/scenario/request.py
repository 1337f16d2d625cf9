"""Parse one request: ``METHOD /path [with DATA] [-> STATUS] [as LABEL]``."""

import json
import re
import unicodedata
from collections import deque
from difflib import get_close_matches
from keyword import iskeyword
from typing import Final

from sphinx_djconn.scenario.lexer import NEW_CLIENT, SHOWN, Line, SequenceError, short, split_word, unknown
from sphinx_djconn.scenario.model import Request

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
"""The HTTP methods of requests: those of Django's ``View``."""

RESERVED_LABELS: Final = frozenset(
    {"all", "any", "len", "max", "min", "overlap", "set"}  # the functions of an expression
    | {"db", "errors", "greenlets", "http", "processes", "requests", "responses", "statuses"}
    | {"executors", "processes_started", "tasks", "thread_idents", "threads", "threads_started"}
)
"""Names that have another meaning in expressions, and so cannot be labels."""

REQUEST_FORM: Final = "METHOD /path [with DATA] [-> STATUS] [as LABEL]"
_ARROWS: Final = ("->", "=>", "\u2192")
_LEAST_STATUS, _GREATEST_STATUS = 100, 599


def read_request(line: Line, client: str | None, action: str, text: str) -> Request:
    """Return the request of ``client``. ``action`` is the part of ``text`` after the colon."""
    method, target = split_word(action)
    if method not in METHODS:
        raise _not_a_method(line, client, method, target, text)
    path, rest = split_word(target)
    if not path.startswith("/"):
        problem = f"path '{short(path)}' does not begin with '/'" if path else "no path follows"
        raise line.error(
            f"{problem} in '{short(text)}'",
            f"write the path alone, without scheme and host, as in '{method} /polls/'",
        )
    _check_arrow(line, path, "path")
    if "#" in path:
        raise line.error(
            f"no client sends '{short(path[path.index('#') :])}', the fragment of the URL, to a server",
            "leave it out, write '%23' for a '#' that is to be sent, and put a comment on a line of its own",
        )
    data, rest = _data(line, rest)
    status, label = _expectations(line, rest)
    return Request(client, method, path, data, status, label, line=line.number)


def _not_a_method(line: Line, client: str | None, method: str, target: str, text: str) -> SequenceError:
    if method.startswith("/"):
        return line.error(f"'{short(text)}' names no method", f"write it before the path, as in 'GET {method}'")
    near = get_close_matches(method.upper()[:SHOWN], METHODS, n=1)
    if near or target.startswith("/"):
        hint = f"did you mean '{near[0]}'?" if near else "write one of " + ", ".join(METHODS)
        return line.error(f"'{short(method)}' is not an HTTP method", hint)
    return unknown(line, text, client or NEW_CLIENT)


def _data(line: Line, rest: str) -> tuple[str | None, str]:
    """Return the body of the request, as written, and the text after it."""
    word, after = split_word(rest)
    if word != "with":
        return None, rest
    if after.startswith(("{", "[")):
        return _json(line, after)
    data, rest = split_word(after)
    if "=" not in data:
        raise line.error(
            f"'{short(data)}' after 'with' is neither a form nor JSON",
            """write 'with name=ada&age=36' or 'with {"name": "ada"}'""",
        )
    _check_arrow(line, data, "form")
    return data, rest


def _check_arrow(line: Line, written: str, what: str) -> None:
    """Raise :class:`SequenceError` if the ``written`` path or form contains an expected status."""
    if any(arrow in written for arrow in _ARROWS):
        raise line.error(
            f"the {what} '{short(written)}' contains an arrow",
            "put a space on both sides of '->', and write '%3E' for a '>' that is to be sent",
        )


def _json(line: Line, text: str) -> tuple[str, str]:
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise line.error(
            f"'{short(text)}' after 'with' is not valid JSON: {error}",
            """write it on one line, as in 'with {"name": "ada"}'""",
        ) from error
    if text[end : end + 1].strip():
        raise line.error(f"'{short(text[end:])}' follows the JSON", "put a space after the body of the request")
    return text[:end], text[end:].strip()


def _expectations(line: Line, rest: str) -> tuple[int | None, str | None]:
    """Return the status and the label at the end of a request."""
    words = deque(rest.split())
    status = label = None
    if words and words[0] == "->":
        words.popleft()
        status = _status(line, words.popleft() if words else "")
    if words and words[0] == "as":
        words.popleft()
        label = _label(line, words.popleft() if words else "")
    if words:
        comment = words[0].startswith("#")
        raise line.error(
            f"'{short(' '.join(words))}' at the end of the request is not understood",
            "put a comment on a line of its own" if comment else f"write '{REQUEST_FORM}'",
        )
    return status, label


def _status(line: Line, written: str) -> int:
    status = int(written) if re.fullmatch(r"[0-9]{3}", written) else 0
    if not _LEAST_STATUS <= status <= _GREATEST_STATUS:
        raise line.error(
            f"'{short(written)}' after '->' is not a status code",
            f"write one from {_LEAST_STATUS} to {_GREATEST_STATUS}, as in '-> 200'",
        )
    return status


def _label(line: Line, written: str) -> str:
    label = unicodedata.normalize("NFKC", written)  # as Python reads it in an expression
    if not label.isidentifier() or iskeyword(label):
        raise line.error(
            f"'{short(written)}' after 'as' cannot be a label",
            "use letters, digits and '_', no digit first and no word of Python's, as 'first'",
        )
    if label in RESERVED_LABELS:
        raise line.error(
            f"label '{label}' already has a meaning in expressions",
            f"choose another, as in 'as {label}_1'",
        )
    return label
