"""Test your own pages: run a sequence, or check all claims in a folder of docs.

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
    """The docs could not be checked. The message has Sphinx's warnings."""


def run(sequence: str, *, project: Project | None = None, **options: Any) -> list[Facts]:
    """Run ``sequence``, written as on a page, and return the facts of each run.

    ``project`` is the demo site by default. ``options`` are those of
    :class:`~sphinx_djconn.scenario.model.Scenario`, such as ``server`` or ``conn_max_age`` (seconds). Raises
    :class:`~sphinx_djconn.lab.errors.LabError`, for example ``RunError`` or ``ProfileError``.
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
    """Check the claims of the pages in ``docs``, and return the content of ``claims.json``.

    ``doctrees`` is a folder with recordings, which are reused by the next call. ``config`` overrides values of
    conf.py. Raises :class:`CheckError` if Sphinx has warnings other than verdicts.
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
        messages = _split_warnings(warnings.getvalue())
        others = [message for message in messages if not message.endswith("[djconn.claim]")]
        if others:
            raise CheckError("\n".join(others))
        claims: list[dict[str, Any]] = json.loads(Path(folder, "claims.json").read_text("utf-8"))
    return claims


def _split_warnings(text: str) -> list[str]:
    """Return the warnings in ``text``, which may have several lines each, without colours."""
    text = re.sub("\x1b\\[[0-9;]*m", "", text)
    parts = re.split(r"^(?=(?:.*: )?(?:WARNING|ERROR|CRITICAL): )", text, flags=re.MULTILINE)
    return [part.strip() for part in parts if part.strip()]
