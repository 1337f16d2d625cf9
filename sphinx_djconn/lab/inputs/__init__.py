"""The inputs of a run: files, modules and environment variables that it used, and whether they have changed.

``probe/inputs/`` records names in the servers' processes. ``machine`` turns them into
:class:`~sphinx_djconn.inputs.Inputs`, which are kept with the recording, and compares them with what is there
now. ``files`` reads each file once in a build, ``roots`` names paths in a way that is the same on other
machines, ``modules`` finds where modules are imported from, ``variables`` decides which variables count, and
``reasons`` says what has changed.
"""
