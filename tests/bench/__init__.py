"""The benchmark: ``python -m tests.bench``, or ``tox run -e bench``.

Each row of the table in the docs has a module of its own in ``rows``, with a function ``measure``. All
contenders of a row are measured in turns, in one run, in processes of their own, after bytecode was compiled
for every one of them::

    workplace (folders, processes) ─▶ rows (what is compared) ─▶ report (medians, ratios, goals)
         ─▶ docs/benchmark.json, docs/benchmark.svg

``pages`` writes the documentations that are built, ``inside`` holds what runs in other processes: Sphinx,
the script that stands for what people would use instead, a client that sends load.
"""
