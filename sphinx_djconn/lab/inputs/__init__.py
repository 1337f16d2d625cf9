"""The inputs of a run: files, modules and environment variables that it used, and whether they have changed.

``probe/inputs.py`` records names in the servers' processes. ``machine`` turns them into
:class:`~sphinx_djconn.inputs.Inputs`, which are stored with the recording, and compares them with the machine
as it is now. ``files`` reads each file once in a build, ``roots`` gives paths names that are the same on other
machines, ``modules`` finds where modules are imported from, ``variables`` decides which variables count, and
``reasons`` explains what has changed.
"""
