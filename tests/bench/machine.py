"""Facts of the machine and the software that figures were measured with; nothing that names anybody."""

import os
import platform
from importlib.metadata import version

PEERS = ("sphinxcontrib-programoutput", "sphinx-exec-code", "gunicorn")


def facts() -> dict[str, object]:
    """Return them for the report."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Sphinx": version("sphinx"),
        "Django": version("django"),
        **{peer: version(peer) for peer in PEERS},
    }
