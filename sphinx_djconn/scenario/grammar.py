"""The grammar of sequences: parse the lines of a directive's body to a :class:`Sequence`.

There is one step per line. Below ``together:``, there is one request per line, indented. ::

    request    [COUNT x] CLIENT: METHOD /path [with DATA] [-> STATUS] [as LABEL]
    close      CLIENT: close
    together   together:
                   request
                   …
    wait       wait 1.5s, wait 500ms
    reload     reload
    database   database: end sessions, database: restart,
               database: refuse connections, database: accept connections

``CLIENT`` is ``new client``, or a name: a letter, then letters, digits, ``-`` and ``_``. ``DATA`` is JSON
if it starts with ``{`` or ``[``, else a form (``name=ada&age=36``) without spaces. Blank lines and lines
that start with ``#`` are ignored.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, get_args

from sphinx_djconn.scenario.clients import comparable, read_client
from sphinx_djconn.scenario.lexer import Line, SequenceError, short, significant, unknown
from sphinx_djconn.scenario.model import (
    Close,
    DatabaseFault,
    Fault,
    Reload,
    Request,
    Sequence,
    Step,
    Together,
    Wait,
)
from sphinx_djconn.scenario.request import read_request

MAX_COUNT: Final = 100_000
"""The largest count of a repeated request."""

MAX_WAIT: Final = 3600.0
"""The longest pause, in seconds."""

_LEAST_TOGETHER = 2
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+) ?(?P<unit>ms|s)", re.ASCII)
_REPEATED = re.compile(r"(?P<count>[-+]?\d\S*)\s+x\s+(?P<step>.+)")
_FAULTS: Final[dict[str, Fault]] = {fault: fault for fault in get_args(Fault)}
_FAULTS_LISTED: Final = ", ".join(f"'database: {fault}'" for fault in _FAULTS)
NOT_A_CLIENT: Final = {
    "database": f"write one of {_FAULTS_LISTED}",
    "reload": "write 'reload' alone on its line",
    "together": "write 'together:' alone on its line and its requests below it, indented",
    "wait": "write a pause as in 'wait 1.5s'",
}


def parse_sequence(text: str | Iterable[str], first: int = 0) -> Sequence:
    """Return the sequence that ``text``, or a list of its lines, describes.

    ``first`` is the number of its first line. Raises :class:`SequenceError` for the first line that is wrong.
    """
    body = text.splitlines() if isinstance(text, str) else list(text)
    lines = deque(significant(body, first))
    if not lines:
        raise SequenceError(
            "the sequence has no step", "write at least one, as in 'browser: GET /polls/'", first
        )
    steps = tuple(_steps(lines))
    sequence = Sequence(steps, "\n".join(body))
    _check_names(sequence)
    _check_labels(sequence)
    _check_closes(sequence)
    return sequence


def is_step(line: Line) -> bool:
    """Return whether ``line`` by itself is a step."""
    try:
        _step(line)
    except SequenceError:
        return False
    return True


# Steps.


def _steps(lines: deque[Line]) -> Iterator[Step]:
    while lines:
        line = lines.popleft()
        if line.indent:
            raise line.error(
                f"unexpected indentation before '{short(line.text)}'",
                "only the requests below 'together:' are indented",
            )
        yield _together(line, lines) if line.text == "together:" else _step(line)


def _together(head: Line, lines: deque[Line]) -> Together:
    requests: list[Request] = []
    indent = lines[0].indent if lines else 0
    while lines and lines[0].indent:
        line = lines.popleft()
        if line.indent != indent:
            raise line.error(
                f"unexpected indentation before '{short(line.text)}'",
                "indent all requests of one 'together:' by the same number of spaces",
            )
        requests.append(_request_together(line, {request.client for request in requests}))
    if sum(request.count for request in requests) < _LEAST_TOGETHER:
        raise head.error(
            "'together:' needs at least two requests",
            "write them below it, indented, as in '    2 x new client: GET /polls/'",
        )
    return Together(tuple(requests), line=head.number)


def _request_together(line: Line, busy: set[str | None]) -> Request:
    step = None if line.text == "together:" else _step(line)
    if not isinstance(step, Request):
        raise line.error(
            f"'{short(line.text)}' cannot happen together with requests",
            "leave only requests below 'together:' and move this step before or after them",
        )
    if step.client is not None and (step.count > 1 or step.client in busy):
        raise line.error(
            f"client '{step.client}' cannot send several requests together: "
            "it has one HTTP connection at a time",
            "write 'N x new client', or name another client",
        )
    return step


def _step(line: Line) -> Step:
    """Parse a step of one line."""
    written = _REPEATED.fullmatch(line.text)
    if written is None:
        return _single(line, line.text)
    count = _count(line, written["count"])
    step = _single(line, written["step"])
    if not isinstance(step, Request):
        raise line.error(
            f"'{short(written['step'])}' cannot be repeated",
            f"only requests can, as in '{count} x browser: GET /polls/'",
        )
    if step.label is not None and count > 1:
        raise line.error(
            f"label '{step.label}' names {count} requests, so it would be ambiguous in an expression",
            "write the request that you want to name on a line of its own",
        )
    return replace(step, count=count)


def _count(line: Line, written: str) -> int:
    digits = written.isascii() and written.isdigit() and len(written) <= len(str(MAX_COUNT))
    count = int(written) if digits else 0
    if not 1 <= count <= MAX_COUNT:
        raise line.error(
            f"'{short(written)}' is not a valid number of requests",
            f"write a whole number from 1 to {MAX_COUNT}",
        )
    return count


def _single(line: Line, text: str) -> Step:
    words = text.split()
    if words == ["reload"]:
        return Reload(line=line.number)
    if words[0] == "wait":
        return Wait(_seconds(line, words[1:]), line=line.number)
    name, colon, action = (part.strip() for part in text.partition(":"))
    if not colon:
        raise unknown(line, text)
    fault = _FAULTS.get(" ".join(action.split()))
    if name == "database" and fault is not None:
        return DatabaseFault(fault, line=line.number)
    if name.casefold() in NOT_A_CLIENT:
        raise line.error(f"'{name}' cannot name a client", NOT_A_CLIENT[name.casefold()])
    client = read_client(line, name, action, text)
    if action != "close":
        return read_request(line, client, action, text)
    if client is None:
        raise line.error("a new client has no connection to close", "name the client, as in 'browser: close'")
    return Close(client, line=line.number)


def _seconds(line: Line, words: list[str]) -> float:
    duration = _DURATION.fullmatch(" ".join(words))
    seconds = 0.0
    if duration is not None:
        seconds = float(duration["number"]) / (1000 if duration["unit"] == "ms" else 1)
    if not 0 < seconds <= MAX_WAIT:
        raise line.error(
            f"'{short(line.text)}' is not a valid pause",
            f"write more than 0 and at most {MAX_WAIT:g} seconds, as in 'wait 1.5s', 'wait 500ms'",
        )
    return seconds


# Checks of the whole sequence.


def _check_names(sequence: Sequence) -> None:
    seen: dict[str, str] = {}
    for request in sequence.requests():
        if request.client is not None:
            first = seen.setdefault(comparable(request.client), request.client)
            if first != request.client:
                raise SequenceError(
                    f"clients '{first}' and '{request.client}' have almost the same name",
                    "write one name for one client; names of two differ in more than case, '-' and '_'",
                    request.line,
                )


def _check_labels(sequence: Sequence) -> None:
    seen: set[str] = set()
    for request in sequence.requests():
        if request.label in seen:
            raise SequenceError(
                f"label '{request.label}' is given twice",
                "give each request that claims speak about a label of its own",
                request.line,
            )
        if request.label is not None:
            seen.add(request.label)


def _check_closes(sequence: Sequence) -> None:
    connected: set[str | None] = set()
    for step in sequence.steps:
        connected.update(request.client for request in step.all_requests)
        if isinstance(step, Close):
            if step.client not in connected:
                raise SequenceError(
                    f"client '{step.client}' has no connection to close",
                    "write one of its requests before it closes, or remove this step",
                    step.line,
                )
            connected.discard(step.client)
