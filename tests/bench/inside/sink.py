"""Read all that probes write and make nothing of it, as the lab while nobody waits: ``sink.py ADDRESS``."""

import json
import os
import selectors
import socket
import sys
from pathlib import Path

CHUNK = 1 << 16


class Source:
    """A process: the socket that it rings with, and the file of its events."""

    def __init__(self, stream):
        self.stream = stream
        self.file = None

    def read(self):
        """Read what is there; return whether more may come."""
        received = os.read(self.stream.fileno(), CHUNK)
        for line in received.splitlines():
            if line and self.file is None and (told := json.loads(line))["k"] == "file":
                path = Path(sys.argv[1]).with_name(told["name"])
                self.file = os.open(path, os.O_RDONLY)
                path.unlink()
        while self.file is not None and os.read(self.file, CHUNK):
            pass
        return bool(received)


def main():
    address = sys.argv[1]
    Path(f"{address}-waits").write_bytes(b"\0")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    print("listening", flush=True)  # noqa: T201 - what is asked for
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ, Source(connection))
            elif not key.data.read():
                selector.unregister(key.fileobj)
                key.fileobj.close()


if __name__ == "__main__":
    main()
