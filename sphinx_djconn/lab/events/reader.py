"""Where a run's events come from: a stream of lines for each process, and the file that it rings for."""

import json
import mmap
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_CHUNK: Final = 1 << 16
_PAGE: Final = 1 << 12
_LONGEST_LINE: Final = 1 << 20


class _Lines:
    """Takes lines together that were read in parts."""

    def __init__(self) -> None:
        self._pending = b""

    def __call__(self, received: bytes) -> list[bytes] | None:
        """Return the lines that are whole; ``None`` where one is too long to be ours."""
        *whole, self._pending = (self._pending + received).split(b"\n")
        return whole if len(self._pending) <= _LONGEST_LINE else None


class _File:
    """A process's file of events: memory for lines, memory for records, and lines when the first is full."""

    def __init__(self, path: Path, told: dict[str, Any]) -> None:
        self._record = struct.Struct(told["format"])
        self._fields, self._kinds = told["fields"], told["kinds"]
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._end_of_lines, self._end_of_records = told["lines"], told["lines"] + told["records"]
        self._remembered, self._recorded, self._appended = 0, self._end_of_lines, self._end_of_records
        self._lines = _Lines(), _Lines()

    def events(self) -> Iterator[dict[str, Any]]:
        """Read what was written since: nothing is returned without what was written before it."""
        while found := [*_decoded(self._written_lines()), *self._written_records()]:
            yield from found

    def _written_lines(self) -> Iterator[bytes]:
        while self._remembered < self._end_of_lines:
            size = min(_PAGE, self._end_of_lines - self._remembered)
            # A line is being written, or none is, where the first zero is.
            filled = os.pread(self._fd, size, self._remembered).partition(b"\0")[0]
            self._remembered += len(filled)
            yield from self._lines[0](filled) or ()
            if len(filled) < size:
                break
        while received := os.pread(self._fd, _CHUNK, self._appended):
            self._appended += len(received)
            yield from self._lines[1](received) or ()

    def _written_records(self) -> Iterator[dict[str, Any]]:
        while self._recorded < self._end_of_records:
            filled = os.pread(self._fd, min(_PAGE, self._end_of_records - self._recorded), self._recorded)
            for *values, kind in self._record.iter_unpack(filled):
                if not kind:  # it is not written, or not to its end
                    return
                self._recorded += self._record.size
                event = dict(zip(self._fields, [*values, self._kinds[kind - 1]], strict=True))
                event["t"] = round(event["t"] * 1e9)  # as in lines: nanoseconds
                yield event if event["w"] else {k: v for k, v in event.items() if k not in ("w", "c")}

    def close(self) -> None:
        os.close(self._fd)


class EventReader:
    """One stream of lines: a process's probe, a meeting, or the supervisor (``process`` is 0)."""

    def __init__(self, stream: socket.socket, process: int) -> None:
        self.stream = stream
        self.process = process
        self._lines = _Lines()
        self._file: _File | None = None

    def messages(self) -> list[dict[str, Any]] | None:
        """Read what the stream has, without the bell; ``None`` at its end."""
        try:
            received = os.read(self.stream.fileno(), _CHUNK)
        except OSError:
            return None
        lines = self._lines(received) if received else None
        return None if lines is None else list(_decoded(lines))

    def open(self, folder: Path, told: dict[str, Any]) -> None:
        """Read the events from the file in ``folder`` that the process has ``told`` of, from now on.

        Its name is needed no more.
        """
        if self._file is None:
            path = folder / Path(told["name"]).name
            with suppress(OSError):
                self._file = _File(path, told)
                path.unlink()

    def events(self) -> Iterator[dict[str, Any]]:
        """Read the events that the file has had since; what has no time, or was cut short, is none."""
        if self._file is not None:
            for event in self._file.events():
                if isinstance(event.get("t"), int):
                    yield event

    def close(self) -> None:
        """Let go of stream and file."""
        self.stream.close()
        if self._file is not None:
            self._file.close()
            self._file = None


class WakeFlag:
    """Tells the probes whether they are to ring: by one byte of memory that all processes of a run share."""

    def __init__(self, address: str) -> None:
        path = Path(f"{address}-waits")
        path.write_bytes(bytes(1))
        with path.open("r+b") as file:
            self._waits = mmap.mmap(file.fileno(), 1)

    def set(self, *, waits: bool) -> None:
        """Have the next event ring, or none. What happened before this call is to be read after it."""
        self._waits[0] = waits

    def close(self) -> None:
        """Let go of the memory."""
        self._waits.close()


def _decoded(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):
            if isinstance(event := json.loads(line or b"null"), dict):
                yield event
