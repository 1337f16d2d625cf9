"""Commands in processes of their own: what a reader types, and what a test needs to be done."""

import os
import subprocess
import sys
from pathlib import Path


def run(
    command: str, folder: Path, *, seconds: float = 120, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run what a reader types, where ``python`` is the interpreter that runs the tests.

    ``variables`` are added to the environment's.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=os.environ | variables | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def call(*command: str | Path, folder: Path, seconds: float = 300) -> str:
    """Run a command, which finds modules as a user's would, and return what it has printed.

    Fail with that where it fails.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=own,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
