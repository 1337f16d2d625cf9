"""Random recordings, values of conf.py and pages, made from valid ones by random changes."""

import copy
import json
import random
import string
from collections.abc import Callable
from typing import Any

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**400, 0.5, 1e308, float("nan"), float("inf"), -0.0),
    *("", "x", "\0", "\ud800", "é" * 70, "<b>|`*", "../..", "{port}", "{", "1e10", "sqlite", "postgresql"),
    *([], {}, [[]], [None], {"": None}, {"x": {"y": [1]}}, ["a", 1], (), b"bytes", object, ("a", "b")),
]
JSON_VALUES: list[Any] = [
    value for value in VALUES if not isinstance(value, (bytes, tuple, type)) and value != "\ud800"
]
WORDS = [
    *("browser:", "new client:", "GET", "POST", "/polls/", "/", "with", "a=b", '{"a": 1}', "->", "200", "999"),
    *(
        "as",
        "first",
        "together:",
        "wait",
        "1.5s",
        "1e9s",
        "reload",
        "database:",
        "end sessions",
        "restart",
        "close",
    ),
    *(
        "6 x",
        "0 x",
        "100000 x",
        "#",
        "\t",
        "   ",
        "é",
        "\x00",
        "and",
        "or",
        "not",
        "is",
        "None",
        "==",
        "<",
        "in",
    ),
    *(
        "threads",
        "db.opened",
        "db.sessions",
        "first.thread",
        "first.json.a.b",
        "(",
        ")",
        "[",
        "]",
        "1",
        "'x'",
        ",",
    ),
    *("overlap(first, second)", "len(statuses)", "all", "any", "-", "**", "//", "%", "lambda", "x.y.z", '"'),
    *(
        "kept",
        "ages",
        "ages[server=runserver]",
        "none",
        "0",
        "60",
        "true",
        "runserver, gunicorn-sync",
        "2.0 to 3.2",
    ),
    *(
        "2.1.4",
        "current",
        ":timeout:",
        "1e10",
        "nan",
        "-5",
        "holds",
        "refuted",
        "requests, summary",
        "*x*",
        "`y",
    ),
]
OPTIONS = [
    *("server", "database", "environment", "project", "conn-max-age", "conn-health-checks", "runs", "timeout"),
    *("show", "hidden", "caption", "name", "class", "facts", "in", "where", "expect", "sometimes", "verdict"),
    *("releases", "since", "until", "unknown"),
]
DIRECTIVES = ["scenario", "matrix", "claim", "since", "claims"]
PAGE = """
.. djconn:scenario:: kept
   :conn-max-age: 60

   browser: GET / as first
   together:
      browser: GET / as second
      new client: GET /

.. djconn:matrix:: ages
   :conn-max-age: none, 0
   :server: runserver, runserver-nothreading
   :facts: threads, db.opened

   2 x browser: GET /

.. djconn:claim:: holds
   :in: kept
   :expect: first.thread == second.thread and db.opened < 3

   One thread, :djconn:fact:`kept threads`.

.. djconn:claim:: chosen
   :in: ages
   :where: server == "runserver" and conn_max_age is None
   :sometimes: threads == 1

   At times.

.. djconn:since:: changed
   :in: kept
   :releases: 2.0, 2.1.4, 3.2
   :expect: db.opened == 1
   :since: 2.1.4

   Since then.

.. djconn:claims::

:djconn:claim:`holds` :djconn:scenario:`kept` :djconn:fact:`ages[server=runserver] threads`
"""


class Fuzzer:
    """Makes random cases, which a seed determines."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def changed(self, value: Any, values: list[Any], times: int) -> Any:
        """Return a copy of ``value``, which consists of lists and dictionaries, with random changes."""
        value = copy.deepcopy(value)
        for _ in range(times):
            inner = value
            while isinstance(inner, (list, dict)) and inner:
                key = self.random.choice([*inner] if isinstance(inner, dict) else range(len(inner)))
                below = inner[key]
                if not isinstance(below, (list, dict)) or not below or self.random.random() < 0.25:
                    self._change(inner, key, values)
                    break
                inner = below
        return value

    def _change(self, inner: Any, key: Any, values: list[Any]) -> None:
        match self.random.randrange(6):
            case 0:
                del inner[key]
            case 1 if isinstance(inner, list):
                inner.insert(key, copy.deepcopy(self.random.choice(inner)))
            case 2 if isinstance(inner, dict):
                inner[self.text()] = copy.deepcopy(inner[key])
            case 3 if isinstance(inner, list):
                self.random.shuffle(inner)
            case _:
                inner[key] = copy.deepcopy(self.random.choice(values))

    def text(self) -> str:
        """Return a short text of random characters."""
        letters = string.printable + "é\u2028\ud7ff\U0001f600\x00\x1b"
        return "".join(self.random.choice(letters) for _ in range(self.random.randrange(8)))

    def damaged(self, text: bytes) -> bytes:
        """Return ``text`` with bytes removed, changed or doubled."""
        data = bytearray(text)
        for _ in range(self.random.randrange(1, 4)):
            place = self.random.randrange(len(data) + 1)
            match self.random.randrange(4):
                case 0:
                    del data[place:]
                case 1:
                    data[place : place + 3] = self.random.randbytes(3)
                case 2:
                    data[place:place] = data[:place]
                case _:
                    del data[place : place + self.random.randrange(20)]
        return bytes(data)

    def recording(self, text: bytes, write: Callable[[Any, list[Any]], bytes]) -> bytes:
        """Return a recording made from ``text``; ``write`` writes one with valid digests."""
        if self.random.random() < 0.2:
            return self.damaged(text)
        head, *runs = [json.loads(line) for line in text.splitlines()]
        times = self.random.randrange(1, 4)
        if self.random.random() < 0.2:
            head = self.changed(head, JSON_VALUES, times)
        else:
            runs = self.changed(runs, JSON_VALUES, times)
        return write(head, runs)

    def conf(self, valid: dict[str, Any]) -> dict[str, Any]:
        """Return values of conf.py, by name."""
        return self.changed(valid, VALUES, self.random.randrange(1, 4))

    def page(self) -> str:
        """Return a page."""
        if self.random.random() < 0.5:
            return self._page_of_words()
        lines = PAGE.splitlines()
        for _ in range(self.random.randrange(1, 5)):
            place = self.random.randrange(len(lines))
            match self.random.randrange(5):
                case 0:
                    del lines[place]
                case 1:
                    lines.insert(place, lines[self.random.randrange(len(lines))])
                case 2:
                    lines[place] += f" {self.random.choice(WORDS)}"
                case 3:
                    words = lines[place].split(" ")
                    words[self.random.randrange(len(words))] = self.random.choice(WORDS)
                    lines[place] = " ".join(words)
                case _:
                    lines[place] = self.text().replace("\n", " ") + lines[place]
        return "\n".join(lines)

    def _page_of_words(self) -> str:
        lines = []
        for _ in range(self.random.randrange(1, 4)):
            name = self._words(self.random.randrange(3))
            lines += ["", f".. djconn:{self.random.choice(DIRECTIVES)}:: {name}"]
            options = self.random.sample(OPTIONS, self.random.randrange(6))
            lines += [f"   :{option}: {self._words(self.random.randrange(4))}" for option in options]
            lines.append("")
            for _ in range(self.random.randrange(5)):
                lines.append(" " * self.random.choice([3, 3, 3, 6, 4]) + self._words(self.random.randrange(8)))
        lines += ["", f":djconn:fact:`{self._words(2).replace('`', '')}`", ""]
        return "\n".join(lines)

    def _words(self, count: int) -> str:
        return " ".join(self.random.choice(WORDS) for _ in range(count))
