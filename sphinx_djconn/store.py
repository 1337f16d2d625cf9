"""Recordings: the traces of a scenario's runs, with a key that has everything that could change them.

A recording is one file, named by a digest of its scenario. It is written atomically. A file that is damaged in
any way is not used, and raises an error.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from sphinx_djconn.hashing import digest
from sphinx_djconn.inputs import Inputs
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.events import TraceError, decode, encode
from sphinx_djconn.trace.reading import Trace

_FORMAT: Final = 4
_PART: Final = ".part"
"""The suffix of a file that is being written."""


class StoreError(Exception):
    """A recording could not be written, or its file could not be read."""


@dataclass(frozen=True)
class Key:
    """What a recording depends on: the scenario of the page, and fingerprints of other ``parts`` by name."""

    scenario: Scenario
    parts: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """The name of the recording's file, without its suffix. It is the same on all machines."""
        return digest(_compared_values(self.scenario))[:20]

    def differences(self, other: "Key") -> list[str]:
        """Return the names of the parts that both keys have, and that differ."""
        return [name for name, part in self.parts.items() if name in other.parts and other.parts[name] != part]

    def changes(self, before: "Key") -> list[str]:
        """Return a text for each part that has changed since ``before``, if both keys have it."""
        return [_change_text(name, before.parts[name], self.parts[name]) for name in self.differences(before)]


def _change_text(name: str, before: str, now: str) -> str:
    """Return how a part has changed, with the values of versions, which are readable."""
    if name in ("python", "django", "database server"):
        return f"{name} {before} -> {now}".replace("database server ", "")
    if name == "instrument":
        return "the code of sphinx_djconn changed"
    return f"what conf.py says of the {name} changed"


def _compared_values(value: Any) -> Any:
    """Return the fields of a dataclass that are compared, recursively. Line numbers of a page are not."""
    if isinstance(value, tuple):
        return [_compared_values(each) for each in value]
    names = _compared_fields(value.__class__)
    if names is None:
        return value
    return [type(value).__name__, *((name, _compared_values(getattr(value, name))) for name in names)]


@cache
def _compared_fields(kind: Any) -> tuple[str, ...] | None:
    return tuple(each.name for each in fields(kind) if each.compare) if is_dataclass(kind) else None


@dataclass(frozen=True)
class Recording:
    """The traces of a scenario's runs, with the key at that time, and ``notes``, which are warnings.

    ``environment`` are the installed distributions, for example ``django==4.2.30``, and ``inputs`` is what the
    runs used of the machine.
    """

    key: Key
    runs: tuple[Trace, ...]
    notes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)


class Header(NamedTuple):
    """A recording without its traces. ``digest`` is that of the traces."""

    key: Key
    digest: str
    notes: tuple[str, ...]
    environment: tuple[str, ...] = ()
    inputs: Inputs = Inputs()


class Store:
    """The recordings in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: Key) -> Path:
        """Return the path of the recording of ``key``."""
        return self.folder / f"{key.name}.json"

    def read_header(self, key: Key) -> Header | None:
        """Return the header of the recording of ``key``'s scenario, ``None`` if there is none.

        Raises :class:`StoreError` if the file is truncated, was changed, has another format, or is no
        recording.
        """
        opened = self._open(key)
        return None if opened is None else opened[0]

    def read(self, key: Key) -> Recording | None:
        """Return the recording of ``key``'s scenario, even if its parts differ.

        Returns ``None`` and raises :class:`StoreError` as :meth:`read_header` does.
        """
        opened = self._open(key)
        if opened is None:
            return None
        header, runs = opened
        try:
            traces = _decode_runs(runs, key.scenario.runs)
            return Recording(header.key, traces, header.notes, header.environment, header.inputs)
        except (ValueError, KeyError, TypeError, RecursionError, TraceError) as error:
            raise StoreError(f"{self.path(key).name} cannot be read: {error}") from error

    def write(self, recording: Recording) -> Header:
        """Write ``recording``, and replace an earlier one.

        Raises :class:`StoreError` if that fails. Then the earlier one is unchanged.
        """
        runs = "".join(_line(_encode_run(run)) for run in recording.runs).encode()
        head: dict[str, Any] = {
            "format": _FORMAT,
            "scenario": recording.key.scenario.sequence.text,
            "parts": dict(recording.key.parts),
            "notes": list(recording.notes),
            "environment": list(recording.environment),
            "inputs": recording.inputs.to_json(),
            "digest": _digest(runs),
        }
        head["seal"] = _header_digest(head)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._replace(self.path(recording.key), _line(head).encode() + runs)
        except OSError as error:
            raise StoreError(
                f"the recording could not be kept: {error.strerror}; see that its folder "
                "(`djconn_recordings`, else the doctrees) has room and can be written"
            ) from error
        return Header(recording.key, head["digest"], recording.notes, recording.environment, recording.inputs)

    def _open(self, key: Key) -> tuple[Header, bytes] | None:
        """Return the header of a recording, and the lines of its runs."""
        path = self.path(key)
        try:
            # Git may have changed the ends of lines.
            head, _, runs = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n")
            data = json.loads(head)
            if data["format"] != _FORMAT:
                raise StoreError(f"{path.name} has format {data['format']!r:.20}, not {_FORMAT}")
            if data.pop("seal") != _header_digest(data) or data["digest"] != _digest(runs):
                raise StoreError(f"{path.name} is cut short, or was changed")
            recorded_key = Key(key.scenario, dict(_check_texts(data["parts"])))
            notes, environment = tuple(_check_texts(data["notes"])), tuple(_check_texts(data["environment"]))
            inputs = Inputs.from_json(data["inputs"])
            return Header(recorded_key, data["digest"], notes, environment, inputs), runs
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path.name} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"{path.name} is no recording of this version") from error

    def _replace(self, path: Path, text: bytes) -> None:
        temporary = path.with_name(f"{path.stem}-{secrets.token_hex(4)}{_PART}")
        try:
            with temporary.open("xb") as file:
                file.write(text)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def prune(self, used: Iterable[Key]) -> None:
        """Remove all recordings but those of ``used``."""
        names = {self.path(key).name for key in used}
        for path in [*self.folder.glob("*.json"), *self.folder.glob(f"*{_PART}")]:
            if path.name not in names:
                with suppress(OSError):  # an unused file does no harm
                    path.unlink()


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _digest(runs: bytes) -> str:
    return hashlib.sha256(runs).hexdigest()


def _header_digest(head: Mapping[str, Any]) -> str:
    """Return a digest of the header, which contains the digest of the runs."""
    return _digest(_line(head).encode())


def _check_texts(data: Any) -> Any:
    """Return ``data``. Raise ``TypeError`` if it is not a list of texts, or an object with texts."""
    texts = [*data, *data.values()] if isinstance(data, dict) else data
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError("not a list of texts")
    return data


def _encode_run(trace: Trace) -> dict[str, Any]:
    return {
        "settings": dict(trace.settings),
        "log": list(trace.log),
        "events": [encode(event) for event in trace.events],
    }


def _decode_runs(text: bytes, count: int) -> tuple[Trace, ...]:
    traces = tuple(map(_decode_run, text.splitlines()))
    if len(traces) != count:
        raise ValueError(f"it has {len(traces)} runs, and not {count}")
    for trace in traces:
        _ = trace.entities  # raises if events contradict each other
    return traces


def _decode_run(line: bytes) -> Trace:
    run = json.loads(line)
    settings = _check_texts(run["settings"])
    if not isinstance(settings, dict) or not isinstance(run["events"], list):
        raise TypeError("not a run")
    return Trace(tuple(map(decode, run["events"])), tuple(_check_texts(run["log"])), settings)
