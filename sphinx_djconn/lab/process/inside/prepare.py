"""Make the databases of a project: migrations, then the fixtures named on the command line.

Runs under the run's settings, once for each project and environment; runs then take copies.
"""

import json
import os
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db.backends.signals import connection_created


def hurry(connection: Any, **_: Any) -> None:
    """Wait for no disk: what is made here is a copy's original, made again should the machine fail."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA journal_mode = MEMORY")


def main() -> None:
    """Migrate every database that is not a mirror of another, and load the fixtures."""
    with open(os.environ["DJCONN_SETTINGS"]) as file:
        spec = json.load(file)
    apart = os.environ.get("DJCONN_PATH")
    if apart is not None and apart not in sys.path:  # PYTHONPATH cannot hold a path with a `:`
        sys.path.insert(sys.path.index(spec["folder"]) + 1, apart)
    own = [alias for alias, each in settings.DATABASES.items() if not (each.get("TEST") or {}).get("MIRROR")]
    with open(os.path.join(spec["folder"], "needed"), "w") as file:
        file.write(str(len(own)))
    if len(own) > spec.get("databases", {}).get("created", len(own)):
        return  # there are too few on the server: the lab makes them, and comes again
    connection_created.connect(hurry)
    django.setup()
    for alias in own:
        call_command("migrate", database=alias, interactive=False, verbosity=0, run_syncdb=True)
    if len(sys.argv) > 1:
        call_command("loaddata", *sys.argv[1:], verbosity=0)
    print(django.get_version())  # noqa: T201 - what the lab reads


if __name__ == "__main__":
    main()
