"""Events of a run: ``reader`` reads them, ``collector`` keeps the ``state``, ``sanitizer`` removes secrets."""
