"""Programs that run in their own processes, with the standard library and the project's environment.

They are started by path. Sphinx's process imports only ``supervisor.py``, for a function. ``supervisor.py``
starts and ends one server, ``djconn_settings.py`` is the settings module of a run, and ``prepare.py`` creates
its databases. ``forkserver.py`` imports Django before a server needs it; with ``preload.py``, it sets up the
project too, unless ``side_effects.py`` finds that a fork would then differ from an ordinary start.
``warm_caches.py`` fills Django's lazy caches.
"""
