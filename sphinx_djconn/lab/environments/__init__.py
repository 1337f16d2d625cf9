"""Environments: an interpreter with a Django, its servers and database drivers; created with uv and cached.

``specification`` parses conf.py and the built-in names. ``python_versions`` has the Pythons that each Django
supports, ``django_releases`` Django's releases, ``drivers`` the driver of each database. ``uv`` finds uv,
``interpreters`` lists the installed Pythons with it, ``create`` creates one environment and ``create_many``
several at once, in the folder that ``cache`` manages. ``freeze`` lists what is installed. ``environments``
combines these, and ``environment`` is the result.
"""
