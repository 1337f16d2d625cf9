"""Database servers of the build's own: found, started, shared, watched, gone.

``Clusters().shared("postgresql")`` is the face. ``binaries`` finds programs, ``privileges`` keeps them from
being root, ``folder`` and ``daemon`` see that nothing stays, ``engine`` is what ``postgresql`` and ``mariadb``
differ in, ``server`` is one that the build started or one that conf.py names, ``cluster`` what scenarios use.
"""

from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import Session

__all__ = ["Cluster", "Clusters", "Session"]
