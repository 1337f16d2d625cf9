"""Tables and pictures of a trace, as docutils nodes. Nothing here starts a process or reads a file.

``parts`` names the parts of the evidence and combines them. ``requests``, ``responses``, ``sessions``,
``summary`` and ``log`` build one part each, using ``collapse`` (shortens long tables), ``timeline`` (events
in the order of the sequence) and ``event_text`` (the description of an event). ``matrix_table`` builds the
table of a matrix, ``releases_table`` the one of many Django releases, ``run_settings`` the settings of its
cells. ``text`` makes text of servers printable in every format, ``nodes`` builds common nodes, and
``details_node`` and ``log_lexer`` are registered with Sphinx.
"""
