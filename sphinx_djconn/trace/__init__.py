"""What happened in one run: its events in order, the entities read from them, and the facts.

Data goes one way::

    events ─▶ entities ─▶ facts
       └────▶ contradictions ─▶ unknown facts

``events`` describes every kind of event. ``reading`` has the ``Trace`` of a run, and reads its entities:
``request_events`` and ``database_events`` fill an ``entity_index`` of ``entities``, and ``naming`` names them.
``garbage_collection`` rewrites events as if Python's collector had run at other times.

``facts`` computes the values that claims can use. ``fact_table`` defines them, ``run_reader`` and ``overlaps``
read them, and ``types`` has their types.

A value that the run cannot show is ``unknown``, for one of three reasons: it isn't known whether something was
done for a request (``attribution``), the value depends on the garbage collector, or the events contradict each
other (``consistency``, with ``event_checks`` and ``witness_checks``). ``unknown_facts`` applies the last two.
"""
