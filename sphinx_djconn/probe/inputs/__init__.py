"""Record what this process uses of the machine: modules, files, folders and variables, by name.

``attach/sitecustomize.py`` loads this package separately from the rest of the probe, in the processes of
servers and in those that create databases. ``files`` and ``variables`` watch what is used, and ``recorder``
writes it to a file that all processes of a run share. Only names are recorded: the lab finds out whether a file
exists, and what it contains.

A record is a letter, a name, and a zero byte:

=====  ================================================================================================
``r``  a file that was opened for reading, or whose code was executed
``w``  a file or folder that was opened for writing, created, renamed or removed
``b``  a database file of SQLite, which may have been written
``s``  a path whose status was read, as by ``os.path.exists``
``l``  a folder that was listed
``p``  a folder in which modules were listed (``pkgutil``)
``d``  a folder in which distributions were searched (``importlib.metadata``)
``m``  the name of a module that was searched in ``sys.path``
``y``  an entry of ``sys.path``
``g``  a folder, a line feed, and a pattern that its names were compared with
``n``  a folder, a line feed, and the name of a module that was searched in it
``e``  a variable of the environment
``E``  all variables of the environment
``t``  this Python has no audit events, so files and folders are not recorded: use digests of whole trees
=====  ================================================================================================

Files that C libraries open themselves cause no audit event, and are not recorded.
"""

from typing import Optional

from . import files, variables
from .recorder import InputRecorder

_recorder: Optional[InputRecorder] = None


def install() -> InputRecorder:
    """Record what this process uses from now on, and return the recorder. A second call changes nothing."""
    global _recorder  # noqa: PLW0603 - a process has one
    if _recorder is None:
        _recorder = InputRecorder()
        variables.watch(_recorder)
        files.watch(_recorder)
    return _recorder
