"""A TCP port that is one run's alone, from before its server starts until after it has ended."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
"""How /proc/net/tcp writes the state TCP_LISTEN, from include/net/tcp_states.h of Linux."""


class Port:
    """A port of 127.0.0.1 that the kernel has chosen and gives to nobody else.

    It is bound and never listened on. Linux lets another socket bind it as long as both have
    SO_REUSEADDR, or SO_REUSEPORT and the same user, as every server's has; it does not choose it for a
    socket that asks for any port. So there is no moment in which the port is free.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def is_listened_on(self) -> bool:
        """Return whether a server listens here; never true where there is no /proc."""
        local = f":{self.number:04X}"
        with suppress(OSError):
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
                _, address, _, state, *_ = line.split()
                if state == _LISTENING and address.endswith(local):
                    return True
        return False

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
