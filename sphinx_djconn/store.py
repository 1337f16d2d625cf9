"""Recordings: the traces of a scenario's runs, under a key that names all that could change them.

A recording is one file, named by a digest of its scenario. It is written whole or not at all, and read
whole or not at all: what cannot be read is as good as absent, and said.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sphinx_djconn.hashing import digest
from sphinx_djconn.inputs import Inputs
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.events import TraceError, decode, encode

if TYPE_CHECKING:
    from sphinx_djconn.trace.reading import Trace

_FORMAT: Final = 4
_PART: Final = ".part"
"""Ends the name of a file that is not yet whole."""


class StoreError(Exception):
    """A recording could not be written, or its file could not be read."""


@dataclass(frozen=True)
class Key:
    """What a recording depends on: the scenario as the page has it, and ``parts`` by name."""

    scenario: Scenario
    parts: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """The name of the recording's file, without its suffix; the same wherever it is made."""
        return digest(_plain(self.scenario))[:20]

    def differences(self, other: "Key") -> list[str]:
        """Return the names of the parts that both have and that differ."""
        return [name for name, part in self.parts.items() if name in other.parts and other.parts[name] != part]

    def changes(self, before: "Key") -> list[str]:
        """Return which parts have changed since ``before``, in words; what only one of them has has not."""
        return [_change(name, before.parts[name], self.parts[name]) for name in self.differences(before)]


def _change(name: str, before: str, now: str) -> str:
    """Return how a part has changed: versions are told, and of digests and tables their names."""
    if name in ("python", "django", "database server"):
        return f"{name} {before} -> {now}".replace("database server ", "")
    if name == "instrument":
        return "the code of sphinx_djconn changed"
    return f"what conf.py says of the {name} changed"


def _plain(given: Any) -> Any:
    """Return what takes part in comparisons of ``given``: the lines of a page do not."""
    if isinstance(given, tuple):
        return [_plain(each) for each in given]
    compared = _compared(given.__class__)
    if compared is None:
        return given
    return [type(given).__name__, *((name, _plain(getattr(given, name))) for name in compared)]


@cache
def _compared(kind: Any) -> tuple[str, ...] | None:
    return tuple(each.name for each in fields(kind) if each.compare) if is_dataclass(kind) else None


@dataclass(frozen=True)
class Recording:
    """The traces of a scenario's runs, the key they were made under, and what a warning says of them.

    ``environment`` names the distributions that were installed, as ``django==4.2.30``; ``inputs`` is what the
    runs used of the machine.
    """

    key: Key
    runs: "tuple[Trace, ...]"
    notes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)


class Stored(NamedTuple):
    """What stands above a stored recording. ``digest`` changes whenever the traces do."""

    key: Key
    digest: str
    notes: tuple[str, ...]
    environment: tuple[str, ...] = ()
    inputs: Inputs = Inputs()


class Store:
    """A folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: Key) -> Path:
        """Return the file that ``key``'s recording is kept in."""
        return self.folder / f"{key.name}.json"

    def look(self, key: Key) -> Stored | None:
        """Return what stands above the recording of ``key``'s scenario, ``None`` where there is none.

        Raises :class:`StoreError` where it is cut short, was changed, is of another format, or not ours.
        """
        found = self._open(key)
        return None if found is None else found[0]

    def read(self, key: Key) -> Recording | None:
        """Return the recording of ``key``'s scenario, whatever parts it was made under.

        Returns ``None`` and raises :class:`StoreError` as :meth:`look` does.
        """
        found = self._open(key)
        if found is None:
            return None
        stored, runs = found
        try:
            traces = _read_runs(runs, key.scenario.runs)
            return Recording(stored.key, traces, stored.notes, stored.environment, stored.inputs)
        except (ValueError, KeyError, TypeError, RecursionError, TraceError) as error:
            raise StoreError(f"{self.path(key).name} cannot be read: {error}") from error

    def write(self, recording: Recording) -> Stored:
        """Keep ``recording`` in place of an earlier one.

        Raises :class:`StoreError` where that fails; the earlier one is then as it was.
        """
        runs = "".join(_line(_run_to_write(run)) for run in recording.runs).encode()
        head: dict[str, Any] = {
            "format": _FORMAT,
            "scenario": recording.key.scenario.sequence.text,
            "parts": dict(recording.key.parts),
            "notes": list(recording.notes),
            "environment": list(recording.environment),
            "inputs": recording.inputs.as_json(),
            "digest": _digest(runs),
        }
        head["seal"] = _seal(head)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._replace(self.path(recording.key), _line(head).encode() + runs)
        except OSError as error:
            raise StoreError(
                f"the recording could not be kept: {error.strerror}; see that its folder "
                "(`djconn_recordings`, else the doctrees) has room and can be written"
            ) from error
        return Stored(recording.key, head["digest"], recording.notes, recording.environment, recording.inputs)

    def _open(self, key: Key) -> tuple[Stored, bytes] | None:
        """Return what stands above a recording, and its runs."""
        path = self.path(key)
        try:
            # A checkout may have changed the ends of lines.
            head, _, runs = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n")
            found = json.loads(head)
            if found["format"] != _FORMAT:
                raise StoreError(f"{path.name} has format {found['format']!r:.20}, not {_FORMAT}")
            if found.pop("seal") != _seal(found) or found["digest"] != _digest(runs):
                raise StoreError(f"{path.name} is cut short, or was changed")
            stored = Key(key.scenario, dict(_texts(found["parts"])))
            notes, environment = tuple(_texts(found["notes"])), tuple(_texts(found["environment"]))
            inputs = Inputs.of_json(found["inputs"])
            return Stored(stored, found["digest"], notes, environment, inputs), runs
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
        """Remove the recordings of scenarios that no page has any more."""
        names = {self.path(key).name for key in used}
        for path in [*self.folder.glob("*.json"), *self.folder.glob(f"*{_PART}")]:
            if path.name not in names:
                with suppress(OSError):  # a file too many does no harm
                    path.unlink()


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _digest(runs: bytes) -> str:
    return hashlib.sha256(runs).hexdigest()


def _seal(head: Mapping[str, Any]) -> str:
    """Return a digest of all that stands above the runs, with their own digest."""
    return _digest(_line(head).encode())


def _texts(found: Any) -> Any:
    """Return ``found``, a list of texts or an object with texts; raise ``TypeError`` where it is neither."""
    texts = [*found, *found.values()] if isinstance(found, dict) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError("not a list of texts")
    return found


def _run_to_write(trace: "Trace") -> dict[str, Any]:
    return {
        "settings": dict(trace.settings),
        "log": list(trace.log),
        "events": [encode(event) for event in trace.events],
    }


def _read_runs(text: bytes, count: int) -> "tuple[Trace, ...]":
    traces = tuple(map(_read_run, text.splitlines()))
    if len(traces) != count:
        raise ValueError(f"it has {len(traces)} runs, and not {count}")
    for trace in traces:
        _ = trace.entities  # which raises where the events contradict each other
    return traces


def _read_run(line: bytes) -> "Trace":
    from sphinx_djconn.trace.reading import Trace  # noqa: PLC0415 - to look at a recording, its traces are not read

    run = json.loads(line)
    settings = _texts(run["settings"])
    if not isinstance(settings, dict) or not isinstance(run["events"], list):
        raise TypeError("not a run")
    return Trace(tuple(map(decode, run["events"])), tuple(_texts(run["log"])), settings)
