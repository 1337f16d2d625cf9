"""Starting and ending processes, so that none outlives its run. ``inside/`` is the code that runs in them."""
