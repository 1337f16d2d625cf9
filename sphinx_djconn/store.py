"""Recordings: the traces of a scenario's runs, under a key that names all that could change them.

A recording is one file, named by a digest of its scenario. It is written whole or not at all, and read
whole or not at all: what cannot be read is as good as absent, and said.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.scenario import Scenario
from sphinx_djconn.trace import Trace, TraceError
from sphinx_djconn.trace.events import decode, encode

_FORMAT: Final = 1


class StoreError(Exception):
    """A recording could not be written, or its file could not be read."""


def digest(value: object) -> str:
    """Return the SHA-256 of ``value`` as canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """What a recording depends on: the scenario as the page has it, and ``parts`` by name."""

    scenario: Scenario
    parts: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the recording's file, without its suffix; the same wherever it is made."""
        plain = asdict(self.scenario)
        sequence = [(type(step).__name__, step) for step in self.scenario.sequence.steps]
        plain["sequence"] = [[kind, _without_lines(asdict(step))] for kind, step in sequence]
        return digest(plain)[:20]

    def differences(self, other: "Key") -> list[str]:
        """Return the names of the parts that both have and that differ."""
        return [
            name
            for name, part in self.parts.items()
            if name in other.parts and other.parts[name] != part
        ]


def _without_lines(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_lines(each) for key, each in value.items() if key != "line"}
    if isinstance(value, (list, tuple)):
        return [_without_lines(each) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Recording:
    """The traces of a scenario's runs, and the key they were made under."""

    key: Key
    runs: tuple[Trace, ...]


class Store:
    """A folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: Key) -> Path:
        """Return the file that ``key``'s recording is kept in."""
        return self.folder / f"{key.name}.json"

    def parts(self, key: Key) -> Key | None:
        """Return the key that the stored recording was made under, ``None`` where there is none.

        Reads the first line of the file only. Raises :class:`StoreError` where that is unreadable.
        """
        path = self.path(key)
        try:
            with path.open(encoding="utf-8") as file:
                head = json.loads(file.readline())
            if head["format"] != _FORMAT:
                raise StoreError(f"{path.name} has format {head['format']}, not {_FORMAT}")
            return Key(key.scenario, dict(head["parts"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path.name} cannot be read: {error}") from error

    def read(self, key: Key) -> Recording | None:
        """Return the recording of ``key``'s scenario, whatever parts it was made under.

        Returns ``None`` where there is none; raises :class:`StoreError` where it is cut short, of
        another format, or not ours.
        """
        stored = self.parts(key)
        if stored is None:
            return None
        path = self.path(key)
        try:
            head, *runs = path.read_text(encoding="utf-8").splitlines()
            if len(runs) != json.loads(head)["runs"]:
                raise StoreError(f"{path.name} is cut short")
            return Recording(stored, tuple(_read_run(line) for line in runs))
        except (OSError, ValueError, KeyError, TypeError, TraceError) as error:
            raise StoreError(f"{path.name} cannot be read: {error}") from error

    def write(self, recording: Recording) -> None:
        """Keep ``recording`` in place of an earlier one; raise :class:`StoreError` where that fails."""
        head = {
            "format": _FORMAT,
            "scenario": recording.key.scenario.sequence.text,
            "parts": dict(recording.key.parts),
            "runs": len(recording.runs),
        }
        path = self.path(recording.key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    for line in (head, *map(_run_to_write, recording.runs)):
                        file.write(json.dumps(line, separators=(",", ":")) + "\n")
                Path(temporary).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            raise StoreError(f"the recording could not be kept: {error.strerror}") from error

    def prune(self, used: Iterable[Key]) -> None:
        """Remove the recordings of scenarios that no page has any more."""
        names = {self.path(key).name for key in used}
        for path in self.folder.glob("*.json"):
            if path.name not in names:
                path.unlink(missing_ok=True)


def _run_to_write(trace: Trace) -> dict[str, Any]:
    return {
        "settings": dict(trace.settings),
        "log": list(trace.log),
        "events": [encode(event) for event in trace.events],
    }


def _read_run(line: str) -> Trace:
    run = json.loads(line)
    return Trace(tuple(map(decode, run["events"])), tuple(run["log"]), run["settings"])
