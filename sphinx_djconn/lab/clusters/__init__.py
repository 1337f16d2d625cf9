"""PostgreSQL and MariaDB servers: private ones, which a build starts, and external ones, which conf.py names.

``clusters`` has the servers of a build, and ``cluster`` is one of them as scenarios use it. ``server`` starts a
private server or connects to an external one. For a private one, ``binaries`` finds the programs,
``privileges`` and ``setuid_exec`` run them as another user if the build runs as root, and ``folder`` and
``server_process`` remove what a killed build leaves. ``engine`` is what ``postgresql`` and ``mariadb`` share.
"""
