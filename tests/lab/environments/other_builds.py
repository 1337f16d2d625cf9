"""Other builds that make environments, and what tests look at of all of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.environments.interpreters import find_interpreters
from sphinx_djconn.lab.environments.specification import Specification
from tests.support.absence import skip_without_python

CHILD = """
import json, sys
from pathlib import Path
from sphinx_djconn.lab.environments.environments import Environments
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.errors import LabError
try:
    tell = lambda line: print(json.dumps({"told": line}), flush=True)
    ready = Environments(Path(sys.argv[1]), report=tell).get(Specification("asked", tuple(sys.argv[2:])))
except LabError as error:
    print(json.dumps({"error": error.message}))
else:
    print(json.dumps({"python": ready.python}))
"""


class Build:
    """Another build, which makes the environment of ``requirements`` in ``cache``."""

    def __init__(
        self,
        cache: Path,
        *requirements: str,
        env: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(cache), *requirements],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            preexec_fn=before,  # noqa: PLW1509 - limits of the child alone
        )

    def said(self) -> dict[str, Any]:
        """Return its next line."""
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def result(self) -> tuple[list[str], dict[str, Any]]:
        """Wait for its end; return what it told, and its result."""
        output, _ = self.process.communicate(timeout=120)
        *told, result = map(json.loads, output.splitlines())
        return [each["told"] for each in told], result

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=20)


def use_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have uv and pip ask the index at ``url`` and no other."""
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def wait_until(what: Callable[[], bool]) -> None:
    """Wait for ``what``, with a deadline."""
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def environments_in(cache: Path) -> list[Path]:
    """Return the folders in ``cache`` that are environments, complete or not."""
    return [each for each in cache.glob("*/*") if each.is_dir()]


def interpreter(*minors: int) -> None:
    """Skip the test where this machine has none of the Pythons 3.``minors``."""
    there = {each.version[1] for each in find_interpreters()}
    if not there & set(minors):
        skip_without_python()


def specification(*requirements: str) -> Specification:
    return Specification("asked", requirements)
