"""PostgreSQL and MariaDB servers: those that a build starts and ends, and those that conf.py names.

``clusters`` keeps one server of each kind for a build and ``cluster`` is one of them, as scenarios use it.
``server`` starts a private one or connects to a given one: ``binaries`` finds the programs, ``privileges``
and ``setuid_exec`` run them as another user if the build runs as root, ``folder`` and ``server_process``
remove what a killed build left. ``engine`` is the interface that ``postgresql`` and ``mariadb`` implement.
"""
