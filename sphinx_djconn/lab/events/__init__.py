"""Events of a run: ``reader`` reads them, ``collector`` updates the ``state``; ``sanitizer`` masks secrets."""
