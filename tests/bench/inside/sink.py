"""Hear all probes and leave their events in the files, as the lab while nobody waits: ``sink.py ADDRESS``."""

import selectors
import socket
import sys
from pathlib import Path

from sphinx_djconn.lab.events.reader import EventReader, WakeFlag


def hear(source, address):
    """Read what is there; return whether more may come."""
    messages = source.messages()
    for message in messages or ():
        if message["k"] == "file":
            source.open(address.parent, message)
    return messages is not None


def main():
    address = Path(sys.argv[1])
    WakeFlag(str(address)).set(waits=False)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(address))
    listener.listen()
    print("listening", flush=True)  # noqa: T201 - what is asked for
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ, EventReader(connection, 1))
            elif not hear(key.data, address):
                selector.unregister(key.fileobj)
                key.data.close()


if __name__ == "__main__":
    main()
