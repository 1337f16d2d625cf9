"""For those who test pages of their own: run a sequence, or check all claims of a docs folder.

>>> from sphinx_djconn.testing import check, run
>>> facts = run("6 x browser: GET /polls/", conn_max_age=None)[0]
>>> facts.figures["db.opened"]
1
>>> [claim["id"] for claim in check("docs") if claim["verdict"] != claim["declared"]]
[]
"""

import io
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.process.temporary import temporary_folder
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts, facts_of

__all__ = ["CheckError", "check", "run"]


class CheckError(Exception):
    """The docs could not be checked; the message is what Sphinx said."""


def run(sequence: str, *, project: Project | None = None, **options: Any) -> list[Facts]:
    """Run ``sequence``, as a page would have it, and return the facts of each run.

    ``project`` is the demo site where it is not given; ``options`` are those of
    :class:`~sphinx_djconn.scenario.Scenario`, such as ``server`` or ``conn_max_age`` (seconds). Raises
    what the lab raises: :class:`~sphinx_djconn.lab.RunError`, :class:`~sphinx_djconn.lab.ProfileError`.
    """
    profiles = Profiles()
    if project is not None:
        profiles = Profiles(projects={**profiles.projects, "default": project})
    scenario = Scenario(parse_sequence(sequence), **options)
    with (
        temporary_folder() as cache,
        closing(Laboratory(profiles, cache)) as laboratory,
    ):
        recording = laboratory.run(scenario)
    return [facts_of(trace) for trace in recording.runs]


def check(docs: str | Path, doctrees: str | Path | None = None, **config: Any) -> list[dict[str, Any]]:
    """Check the claims of the pages in ``docs`` and return them as ``claims.json`` has them.

    ``doctrees`` is a folder that keeps recordings from one call to the next; ``config`` overrides values
    of conf.py. Raises :class:`CheckError` where Sphinx warns of anything but a verdict.
    """
    warnings = io.StringIO()
    with temporary_folder() as folder, patch_docutils(docs):
        with docutils_namespace():
            app = Sphinx(
                docs,
                docs,
                folder,
                doctrees or Path(folder, "doctrees"),
                "djconn",
                confoverrides={**config, "show_warning_types": True},
                status=None,
                warning=warnings,
            )
            app.build()
        others = [warning for warning in _split(warnings.getvalue()) if not warning.endswith("[djconn.claim]")]
        if others:
            raise CheckError("\n".join(others))
        claims: list[dict[str, Any]] = json.loads(Path(folder, "claims.json").read_text("utf-8"))
    return claims


def _split(text: str) -> list[str]:
    """Return the warnings in ``text``, some of which go over several lines, without colours."""
    text = re.sub("\x1b\\[[0-9;]*m", "", text)
    parts = re.split(r"^(?=(?:.*: )?(?:WARNING|ERROR|CRITICAL): )", text, flags=re.MULTILINE)
    return [part.strip() for part in parts if part.strip()]
