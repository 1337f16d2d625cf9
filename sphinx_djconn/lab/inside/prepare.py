"""Make the databases of a project: migrations, then the fixtures named on the command line.

Runs under the run's settings, once for each project and environment; runs then take copies.
"""

import sys

import django
from django.conf import settings
from django.core.management import call_command


def main() -> None:
    """Migrate every database that is not a mirror of another, and load the fixtures."""
    django.setup()
    for alias, database in settings.DATABASES.items():
        if not (database.get("TEST") or {}).get("MIRROR"):
            call_command("migrate", database=alias, interactive=False, verbosity=0, run_syncdb=True)
    if len(sys.argv) > 1:
        call_command("loaddata", *sys.argv[1:], verbosity=0)
    print(django.get_version())  # noqa: T201 - what the lab reads


if __name__ == "__main__":
    main()
