"""Environments that stand for releases: the same Django, and a number that differs."""

import sysconfig
import venv
from pathlib import Path

import pytest

from tests.ext.since.releases import Row
from tests.support.building import Docs


@pytest.fixture(scope="session")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Thirty environments, ``r0`` to ``r29``, as conf.py has them; each can import ``number``."""
    folder = tmp_path_factory.mktemp("interpreters")
    found = {}
    for number in range(30):
        place = folder / f"r{number}"
        venv.create(place, with_pip=False, symlinks=True)
        packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(place)}))
        packages.joinpath("ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        packages.joinpath("number.py").write_text(f"NUMBER = {number}\n", encoding="utf-8")
        found[f"r{number}"] = {"python": str(place / "bin" / "python")}
    return found


@pytest.fixture
def row(docs: Docs, interpreters: dict[str, dict[str, str]]) -> Row:
    """A documentation whose project says the number of its environment."""
    return Row(docs, interpreters)
