"""Read a run's events: each process has a socket with messages in lines, and a file with most events."""

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
_MAX_LINE: Final = 1 << 20


class _LineBuffer:
    """Splits bytes into lines, and keeps the part of a line that is not complete."""

    def __init__(self) -> None:
        self._incomplete = b""

    def split(self, received: bytes) -> list[bytes] | None:
        """Return the lines that are complete now; ``None`` if one is too long to be a probe's."""
        *lines, self._incomplete = (self._incomplete + received).split(b"\n")
        return lines if len(self._incomplete) <= _MAX_LINE else None


class _EventFile:
    """A process's file of events: a memory region for lines, one for records, and lines appended after both.

    ``header`` describes it: the probe's message of the kind ``file``.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._record = struct.Struct(header["format"])
        self._fields, self._kinds = header["fields"], header["kinds"]
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._lines_end, self._records_end = header["lines"], header["lines"] + header["records"]
        self._lines_position, self._records_position = 0, self._lines_end
        self._appended_position = self._records_end
        self._lines, self._appended = _LineBuffer(), _LineBuffer()

    def events(self) -> Iterator[dict[str, Any]]:
        """Read new events until there are none. An event comes after all that were written before it."""
        while events := [*_decode(self._read_lines()), *self._read_records()]:
            yield from events

    def _read_lines(self) -> Iterator[bytes]:
        while self._lines_position < self._lines_end:
            size = min(_PAGE, self._lines_end - self._lines_position)
            # The first zero byte is the end of what has been written.
            written = os.pread(self._fd, size, self._lines_position).partition(b"\0")[0]
            self._lines_position += len(written)
            yield from self._lines.split(written) or ()
            if len(written) < size:
                break
        while received := os.pread(self._fd, _CHUNK, self._appended_position):
            self._appended_position += len(received)
            yield from self._appended.split(received) or ()

    def _read_records(self) -> Iterator[dict[str, Any]]:
        while self._records_position < self._records_end:
            size = min(_PAGE, self._records_end - self._records_position)
            page = os.pread(self._fd, size, self._records_position)
            for *values, kind in self._record.iter_unpack(page):
                if not kind:  # the kind is written last
                    return
                self._records_position += self._record.size
                event = dict(zip(self._fields, [*values, self._kinds[kind - 1]], strict=True))
                event["t"] = round(event["t"] * 1e9)  # nanoseconds, as in lines
                yield event if event["w"] else {k: v for k, v in event.items() if k not in ("w", "c")}

    def close(self) -> None:
        os.close(self._fd)


class EventReader:
    """Reads the messages of one stream, and the events of its file.

    The stream is that of a process's probe, of a request at a barrier, or of the supervisor (``process`` is 0).
    """

    def __init__(self, stream: socket.socket, process: int) -> None:
        self.stream = stream
        self.process = process
        self._lines = _LineBuffer()
        self._file: _EventFile | None = None

    def messages(self) -> list[dict[str, Any]] | None:
        """Return new messages of the stream; ``None`` at its end. Bytes that only wake us are no messages."""
        try:
            received = os.read(self.stream.fileno(), _CHUNK)
        except OSError:
            return None
        lines = self._lines.split(received) if received else None
        return None if lines is None else list(_decode(lines))

    def open(self, folder: Path, header: dict[str, Any]) -> None:
        """Open the file of events in ``folder`` that ``header`` names, and unlink it."""
        if self._file is None:
            path = folder / Path(header["name"]).name
            with suppress(OSError):
                self._file = _EventFile(path, header)
                path.unlink()

    def events(self) -> Iterator[dict[str, Any]]:
        """Read new events of the file. Those without a time are skipped, as they were cut short."""
        if self._file is not None:
            for event in self._file.events():
                if isinstance(event.get("t"), int):
                    yield event

    def close(self) -> None:
        """Close the stream and the file."""
        self.stream.close()
        if self._file is not None:
            self._file.close()
            self._file = None


class WakeFlag:
    """Tells the probes whether to wake us after an event: one byte of memory that all processes share."""

    def __init__(self, address: str) -> None:
        path = Path(f"{address}-waits")
        path.write_bytes(bytes(1))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 1)

    def set(self, *, waits: bool) -> None:
        """Enable or disable wake-ups. Events that were written before this call have to be read after it."""
        self._memory[0] = waits

    def close(self) -> None:
        """Unmap the memory."""
        self._memory.close()


def _decode(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):
            if isinstance(event := json.loads(line or b"null"), dict):
                yield event
