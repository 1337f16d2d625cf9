"""Programs of the lab's that run in processes of their own, with nothing but the standard library.

They are started by path and never imported by Sphinx's process: ``supervisor.py`` keeps one server,
``djconn_settings.py`` is the settings module of a run, ``prepare.py`` makes its databases; ``warm.py`` has
imported Django before a server needs it, and with ``readied.py`` and ``noticing.py`` set up its project.
"""
