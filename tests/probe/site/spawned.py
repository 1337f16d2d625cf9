"""What a process of multiprocessing's does that begins anew: its own module, which asks for no models."""

import django


def set_up_and_query():
    django.setup()
    from probed_views import query  # noqa: PLC0415 - which imports models

    query()
