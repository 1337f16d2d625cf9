"""The databases of a run: SQLite files, or databases on a server.

``protocols`` is what a run needs of them. ``in_files`` and ``on_server`` implement it, and both create the
project's databases with ``preparation``.
"""
