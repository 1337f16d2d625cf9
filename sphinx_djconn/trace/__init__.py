"""What happened in one run: events in order, the entities built from them, and the facts.

``events`` describes every kind of event and checks it. ``reading`` builds the ``entities`` (requests,
threads, processes, connections) from the events, with ``request_events`` for those of requests. ``balance``
compares the events with what other witnesses saw, ``overlaps`` and ``garbage_collection`` compute what needs
more than one entity, and ``facts`` has the values that claims can use, with their ``types``. A value that
this run cannot know is ``unknown``.
"""
