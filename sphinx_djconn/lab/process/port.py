"""A TCP port that is reserved for one run, from before its server starts until after it has ended."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
"""TCP_LISTEN in /proc/net/tcp; see include/net/tcp_states.h of Linux."""


class Port:
    """A port of 127.0.0.1 that the kernel has chosen, and does not choose again while this object is open.

    This binds a socket that never listens. Linux lets a server bind the port too if both sockets have
    SO_REUSEADDR, or SO_REUSEPORT and the same user, as all servers' sockets have. It does not choose the port
    for a socket that binds port 0. So the port is never free.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def is_listened_on(self) -> bool:
        """Return whether a server listens on the port; always false if there is no /proc."""
        local = f":{self.number:04X}"
        with suppress(OSError):
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
                _, address, _, state, *_ = line.split()
                if state == _LISTENING and address.endswith(local):
                    return True
        return False

    def close(self) -> None:
        """Release the port."""
        self._socket.close()
