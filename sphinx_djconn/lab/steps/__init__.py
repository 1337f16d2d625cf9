"""The steps of a sequence: ``player`` executes them, with ``clients`` that send requests by ``connections``.

``barrier`` lets the requests of ``together`` into Django at the same time, ``idle`` detects that the server has
nothing more to do, ``procfs`` and ``db_sessions`` record what the kernel and the database server see.
"""
