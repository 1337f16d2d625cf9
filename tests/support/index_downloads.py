"""What is downloaded from the package index: source distributions, and what projects need to run."""

import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.commands import call


def unpacked_sdist(requirement: str, folder: Path) -> Path:
    """Download the source distribution of ``requirement`` and return the folder that it unpacks to."""
    name = requirement.partition("==")[0]
    folder.mkdir(parents=True)
    _pip("download", "--no-deps", "--no-binary", name, requirement, folder=folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def installed(requirements: Sequence[str], folder: Path) -> Path:
    """Install ``requirements``, and nothing that they require, into ``folder``, for a PYTHONPATH."""
    folder.mkdir(parents=True)
    _pip("install", "--no-deps", "--target", ".", *requirements, folder=folder)
    return folder


def _pip(*arguments: str, folder: Path) -> None:
    call(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, folder=folder)
