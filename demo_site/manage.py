#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    # Imported late: a missing Django is then a plain ImportError of this line.
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - as Django writes it

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
