"""What people would use instead: start the development server, send requests, stop it, say what came.

``scenario_script.py SITE PATH…`` plays one such scenario for each path, one after another.
"""

import socket
import subprocess
import sys
import time

import requests

REQUESTS = 6


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port, seconds=30):
    limit = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.02)
        else:
            return


def play(site, path):
    """Start the server on ``site``, get ``path`` six times over one connection, and stop it."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        cwd=site,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        with requests.Session() as session:
            for number in range(1, REQUESTS + 1):
                response = session.get(f"http://127.0.0.1:{port}{path}")
                print(f"{number}: GET {path} {response.status_code}, {len(response.content)} bytes")  # noqa: T201 - the evidence
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    for each in sys.argv[2:]:
        play(sys.argv[1], each)
