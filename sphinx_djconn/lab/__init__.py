"""Everything that touches a process, a socket or a file of a run.

``Laboratory(...).run(scenario)`` returns a recording. Scenario and recording are values that can be sent to
another machine. In the order in which a run uses them:

* ``profiles/``: servers, databases and projects, which the names on a page refer to;
* ``fingerprint`` and ``inputs/``: what a recording depends on, with ``file_digest``;
* ``environments/``: interpreters with other releases of Django, created by uv;
* ``scheduler``: runs many scenarios at once; ``run`` runs one, with what ``run_spec`` lists;
* ``databases/`` and ``clusters/``: the databases of a run, in files or on a server;
* ``run_folder``, ``requirements``, ``command`` and ``run_environ``: how the server is started;
* ``process/``: starts and ends processes; ``process/inside/`` is the code that runs in them;
* ``events/``: collects what the probe reports, and removes secrets from it;
* ``steps/``: executes the steps of the sequence;
* ``run_trace``: turns what was collected into a trace.

Only ``laboratory``, ``scheduler`` and ``errors`` are used by the extension for running.
"""
