"""What runs use of this machine, and whether it is still the same.

``probe/inputs.py`` records names in the servers' processes. :class:`Machine` turns them into
:class:`~sphinx_djconn.inputs.Inputs`, which are kept with a recording, and knows what is there now. ``files``
looks at files, each once in a build; ``roots`` has names for paths that mean the same on another machine;
``modules`` finds where modules are imported from; ``variables`` says which variables count; ``reasons`` says in
words what has changed.
"""

from sphinx_djconn.lab.inputs.files import Files
from sphinx_djconn.lab.inputs.machine import Machine, Machines

__all__ = ["Files", "Machine", "Machines"]
