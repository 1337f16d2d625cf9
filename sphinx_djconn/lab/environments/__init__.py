"""Environments: an interpreter with a Django, its servers and drivers; made on demand, kept for other builds.

``Environments().get(find("django-4.2", read(conf, confdir)))`` is the face. ``specification`` is what conf.py
and the built-in names say, ``drivers`` what a database adds to it, ``supported`` which Pythons a Django
supports, ``interpreters`` those that are here, ``cache`` the folder where environments are complete or absent,
``making`` how they are made, ``ready`` one that can be used, ``contents`` what is in it, ``environments`` all
of it together, and ``many`` many of them. The one that builds the docs needs ``ready`` and ``contents``.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.lab.environments.contents import Contents
    from sphinx_djconn.lab.environments.environments import Environments
    from sphinx_djconn.lab.environments.many import in_turn
    from sphinx_djconn.lab.environments.ready import CURRENT, Ready, current
    from sphinx_djconn.lab.environments.specification import Specification, find, read
else:
    __getattr__ = on_demand(
        __name__,
        {
            "contents": "Contents",
            "environments": "Environments",
            "many": "in_turn",
            "ready": "CURRENT Ready current",
            "specification": "Specification find read",
        },
    )

__all__ = [
    "CURRENT",
    "Contents",
    "Environments",
    "Ready",
    "Specification",
    "current",
    "find",
    "in_turn",
    "read",
]
