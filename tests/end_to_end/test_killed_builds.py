"""SIGKILL at random moments of builds over all kinds of servers: nothing that they have started stays.

``DJCONN_KILLS`` is how many builds are killed, ``DJCONN_KILL_SEED`` what the moments are made from,
``DJCONN_KILL_SERVERS`` how many servers each build has, out of all kinds, and ``DJCONN_END_SECONDS`` the time
in which processes have to be gone: a machine with other work needs more.
"""

import json
import os
import random
import time
from pathlib import Path

import pytest

from sphinx_djconn.lab.profiles.servers import SERVERS as PROFILES
from tests.support.building import PROMPTLY, Docs

KILLS = int(os.environ.get("DJCONN_KILLS", "12"))
SEED = int(os.environ.get("DJCONN_KILL_SEED", "1"))
REPORT = os.environ.get("DJCONN_KILL_REPORT")
"""A file for the figures of each kill."""

AT_ONCE = int(os.environ.get("DJCONN_KILL_SERVERS", "5"))
"""How many servers each of the builds has."""
# Tornado's event loop runs no view that uses the database; mod_wsgi needs Apache.
SERVERS = [name for name in PROFILES if name not in ("gunicorn-tornado", "mod_wsgi")]
VIEWS = """
import subprocess

def child(request):
    # One that goes into a session of its own, and outlives its parent.
    subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], start_new_session=True)
    time.sleep(0.2)
    return HttpResponse("ok")
"""


def page(servers: list[str]) -> str:
    """Return a page with a scenario for each of ``servers``, all on PostgreSQL; the last has one of its own."""
    scenarios = [
        f".. djconn:scenario:: s-{server}\n   :server: {server}\n   :database: postgresql\n\n"
        f"   browser: GET /\n   browser: GET /child\n   together:\n       2 x new client: GET /\n"
        for server in servers
    ]
    return "\n".join([*scenarios, "   database: restart\n" if servers[2:] else ""])


def write(docs: Docs, servers: list[str]) -> None:
    docs.source.joinpath("index.rst").write_text(f"Index\n=====\n\n{page(servers)}", "utf-8")


@pytest.mark.exhaustive
def test_no_process_stays_two_seconds_and_no_folder_longer_than_to_the_next_build(
    docs: Docs, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    docs.configure(djconn_project=docs.project(views=VIEWS), djconn_jobs=4, djconn_mode="run")
    write(docs, SERVERS[:AT_ONCE])
    begin = time.monotonic()
    with docs.building() as process:
        output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    whole = time.monotonic() - begin
    for number in range(KILLS):
        write(docs, chance.sample(SERVERS, AT_ONCE))
        moment = chance.uniform(0, whole)
        with docs.building() as process:
            time.sleep(moment)
            is_over = process.poll() is not None
            started = len(docs.processes())
            process.kill()
            begin = time.monotonic()
            while (left := docs.processes()) and time.monotonic() - begin < PROMPTLY:
                time.sleep(0.02)
            seconds = time.monotonic() - begin
            folders = len(list(docs.temporary.iterdir()))
        if REPORT is not None:
            figures = {"n": number, "moment": moment, "over": is_over, "started": started, "folders": folders}
            with Path(REPORT).open("a") as report:
                report.write(json.dumps({**figures, "seconds": seconds, "left": list(map(str, left))}) + "\n")
        assert left == [], f"after {moment:.2f} s of {whole:.2f} s"
        write(docs, [])
        assert docs.build().code == 0
        assert docs.left_behind() == []
