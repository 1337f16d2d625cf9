"""What is downloaded from the package index: source distributions, and what projects need to run."""

import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path


def unpacked_sdist(requirement: str, folder: Path) -> Path:
    """Download the source distribution of ``requirement`` and return the folder that it unpacks to."""
    name = requirement.partition("==")[0]
    folder.mkdir(parents=True)
    _pip("download", "--no-deps", "--no-binary", name, "--dest", str(folder), requirement)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def installed(requirements: Sequence[str], folder: Path) -> Path:
    """Install ``requirements``, and nothing that they require, into ``folder``, for a PYTHONPATH."""
    _pip("install", "--no-deps", "--target", str(folder), *requirements)
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
