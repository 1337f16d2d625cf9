"""Scenarios, as frozen dataclasses, and the grammar that parses them from a page.

``model`` has the dataclasses. ``grammar`` parses the body of a directive into a ``Sequence``: ``lexer``
splits it into lines, ``clients`` and ``request`` parse the parts of a step. ``titled_sequences`` splits a
body that holds several sequences, and ``matrix`` expands the axes of a matrix into scenarios.
"""
