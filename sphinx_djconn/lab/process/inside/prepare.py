"""Create the databases of a project: migrate them, then load the fixtures named on the command line.

It runs with the settings of a run, once for each project and environment. Runs then take copies.
"""

import json
import os
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db.backends.signals import connection_created


def skip_disk_syncs(connection: Any, **_: Any) -> None:
    """Do not wait for the disk: if the machine fails, the databases are created again."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA journal_mode = MEMORY")


def main() -> None:
    """Migrate every database that does not mirror another, and load the fixtures.

    The number of databases is written to a file. If there are fewer on the server, do nothing else.
    """
    with open(os.environ["DJCONN_SETTINGS"]) as file:
        spec = json.load(file)
    extra_path = os.environ.get("DJCONN_PATH")
    if extra_path is not None and extra_path not in sys.path:  # PYTHONPATH cannot contain a path with a `:`
        sys.path.insert(sys.path.index(spec["folder"]) + 1, extra_path)
    aliases = [
        alias for alias, entry in settings.DATABASES.items() if not (entry.get("TEST") or {}).get("MIRROR")
    ]
    with open(os.path.join(spec["folder"], "needed"), "w") as file:
        file.write(str(len(aliases)))
    if len(aliases) > spec.get("databases", {}).get("created", len(aliases)):
        return  # the lab creates the missing ones and runs this program again
    connection_created.connect(skip_disk_syncs)
    django.setup()
    for alias in aliases:
        call_command("migrate", database=alias, interactive=False, verbosity=0, run_syncdb=True)
    if len(sys.argv) > 1:
        call_command("loaddata", *sys.argv[1:], verbosity=0)
    print(django.get_version())  # noqa: T201 - the last line of the output


if __name__ == "__main__":
    main()
