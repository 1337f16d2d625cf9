"""The environment variables of a run's processes."""

import os
from pathlib import Path
from typing import Final

from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import RunError
from sphinx_djconn.lab.process.environ import inherited_environ
from sphinx_djconn.lab.profiles.placeholders import fill_placeholders
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.run_folder import INPUT_RECORDS

PROBE: Final = Path(__file__).parents[1] / "probe" / "attach"
"""The folder that attaches the probe to every Python process that has it in PYTHONPATH."""

_INSIDE: Final = Path(__file__).parent / "process" / "inside"


def run_environ(folder: Path, project: Project, environment: Environment, *, probe: bool) -> dict[str, str]:
    """Return the variables of a process that runs ``project`` in ``environment`` and the run's ``folder``.

    They keep Python and Django from writing into the project's folder, even bytecode. The PYTHONPATH of the
    process that builds the docs is passed on only to its own environment. ``probe`` tells whether the probe
    sends events. Raises :class:`RunError` if the variables cannot express the path of this package.
    """
    variables = inherited_environ()
    own_path = variables.get("PYTHONPATH", "").split(os.pathsep)
    if not environment.is_current:
        own_path = []
        variables.pop("PYTHONHOME", None)
    if os.pathsep in str(_INSIDE):
        raise RunError(
            f"sphinx_djconn is installed in a folder with `{os.pathsep}` in its path, which PYTHONPATH cannot "
            "contain, so that nothing can run; install it elsewhere"
        )
    search = [str(PROBE), str(_INSIDE), str(folder), str(project.path)]
    # PYTHONPATH cannot contain such a path of a project either, but there the probe inserts it.
    extra = {"DJCONN_PATH": search.pop()} if os.pathsep in search[-1] else {}
    own = {name: fill_placeholders(value, {"folder": str(folder)}) for name, value in project.env}
    return {
        **variables,
        **own,
        "DJANGO_SETTINGS_MODULE": "djconn_settings",
        "DJCONN_SETTINGS": str(folder / "settings.json"),
        "TMPDIR": str(folder),  # so that files which a killed server leaves are removed with the run
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([*search, *filter(None, own_path)]),
        "DJCONN_INPUTS": str(folder / INPUT_RECORDS),
        **({"DJCONN_SOCKET": str(folder / "s")} if probe else {}),
        **extra,
    }
