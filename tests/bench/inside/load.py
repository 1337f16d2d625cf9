"""Send load: one line of JSON on standard input asks for a batch, one on standard output tells of it.

Asked are ``port``, ``path``, ``count`` (requests), ``connections`` (kept alive, from one batch to the next,
each with one request at a time). Told are ``seconds`` and ``latencies`` (seconds, of each request).

Nothing here waits for an acknowledgement: TCP_NODELAY for what is sent, TCP_QUICKACK for what comes.
Otherwise Nagle's algorithm in a server that writes headers and body apart adds 40 ms to each response.
"""

import itertools
import json
import selectors
import socket
import sys
import time

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
TIMEOUT = 30.0


class Connection:
    """One connection, with at most one request under way."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent = 0.0

    def send(self, path, number):
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Djconn-Request: {number}\r\n"
            "Connection: keep-alive\r\n\r\n"
        ).encode()
        self.received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(request)
        self.acknowledge()

    def acknowledge(self):
        if QUICKACK is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)

    def receive(self):
        """Read what is there, and return whether the response is whole."""
        part = self.socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the server hung up")
        self.acknowledge()
        self.received += part
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return False
        status, *headers = head.decode("latin-1").split("\r\n")
        if " 200 " not in f"{status} ":
            raise ConnectionError(status)
        lengths = [line.split(":")[1] for line in headers if line.lower().startswith("content-length:")]
        return len(body) >= int(lengths[0])


def batch(connections, path, count, numbers):
    """Send ``count`` requests, and return how long all took, and each."""
    latencies = []
    begun = time.perf_counter()
    if len(connections) == 1:
        (connection,) = connections
        for _ in range(count):
            connection.send(path, next(numbers))
            while not connection.receive():
                pass
            latencies.append(time.perf_counter() - connection.sent)
    else:
        left = count
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(path, next(numbers))
                left -= 1
            while len(latencies) < count:
                for key, _ in selector.select(TIMEOUT):
                    if key.data.receive():
                        latencies.append(time.perf_counter() - key.data.sent)
                        if left > 0:
                            key.data.send(path, next(numbers))
                            left -= 1
    return {"seconds": time.perf_counter() - begun, "latencies": latencies}


def main():
    kept, numbers = {}, itertools.count(1)
    for line in sys.stdin:
        asked = json.loads(line)
        port, wanted = asked["port"], asked["connections"]
        connections = kept.setdefault((port, wanted), [])
        while len(connections) < wanted:
            connections.append(Connection(port))
        print(json.dumps(batch(connections, asked["path"], asked["count"], numbers)), flush=True)  # noqa: T201 - what is asked for


if __name__ == "__main__":
    main()
