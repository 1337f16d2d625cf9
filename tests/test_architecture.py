"""The layers of the package, and no cycles of imports: pyproject.toml has the contracts."""

import subprocess
import sys
from pathlib import Path

COMMAND = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"


def test_imports_keep_the_contracts() -> None:
    done = subprocess.run(  # in a process of its own: it configures logging
        [sys.executable, "-c", COMMAND],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
