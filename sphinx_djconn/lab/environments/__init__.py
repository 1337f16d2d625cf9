"""Environments: an interpreter with a Django, its servers and drivers; made on demand, kept for other builds.

``Environments().get(find("django-4.2", read(conf, confdir)))`` is the face. ``specification`` is what conf.py
and the built-in names say, ``supported`` which Pythons a Django supports, ``interpreters`` those that are here,
``cache`` the folder where environments are complete or absent, ``making`` how they are made, ``contents`` what
is in them, ``environments`` all of it together.
"""

from sphinx_djconn.lab.environments.contents import Contents
from sphinx_djconn.lab.environments.environments import Environments, Ready
from sphinx_djconn.lab.environments.specification import Specification, find, read

__all__ = ["Contents", "Environments", "Ready", "Specification", "find", "read"]
