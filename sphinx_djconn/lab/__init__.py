"""Everything that touches a process, a socket or a file of a run.

``Laboratory(...).run(scenario)`` is the face of the lab: a scenario goes in, a recording comes out, and
both are plain values that can be sent to another machine. ``profiles`` says what names mean, ``servers`` how
each server is started, ``environments`` what it runs in, ``keys`` what a recording depends on, with ``trees``
of files, ``scheduler`` runs many at once; ``run`` executes one, with ``projects`` (settings, databases),
``starting``, ``installed`` and ``port`` (a command filled in), ``process`` and ``inside/supervisor`` (what is
started ends), ``folders`` (nothing stays of a build that was killed), ``forking``,
``inside/warm`` and ``inside/readied`` (what is started has less to do), ``feed`` and ``sources`` (what is
heard), ``player``, ``clients``, ``meeting``, ``quiet`` (what is done), ``logs`` and ``masking`` (what may be
shown).
"""

from typing import TYPE_CHECKING, Final

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.lab.database import Database
    from sphinx_djconn.lab.environments import Specification
    from sphinx_djconn.lab.errors import LabError, ProfileError, RunError
    from sphinx_djconn.lab.laboratory import Laboratory
    from sphinx_djconn.lab.profiles import Profiles, Project
    from sphinx_djconn.lab.scheduler import Outcome, Scheduler
    from sphinx_djconn.lab.servers import Server
else:
    __getattr__ = on_demand(
        __name__,
        {
            "database": "Database",
            "environments": "Specification",
            "errors": "LabError ProfileError RunError",
            "laboratory": "Laboratory",
            "profiles": "Profiles Project",
            "scheduler": "Outcome Scheduler",
            "servers": "Server",
        },
    )

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds that one run may take, where nothing else is said."""

MOST_SECONDS: Final = 86_400
"""The longest limit of time, in seconds: a day. The system cannot wait for any number of them."""

__all__ = [
    "DEFAULT_TIMEOUT",
    "MOST_SECONDS",
    "Database",
    "LabError",
    "Laboratory",
    "Outcome",
    "ProfileError",
    "Profiles",
    "Project",
    "RunError",
    "Scheduler",
    "Server",
    "Specification",
]
