"""Environments: an interpreter with a Django, its servers and database drivers; created on demand and cached.

``specification`` reads conf.py and knows the built-in names. ``python_versions`` says which Pythons a Django
supports, ``django_releases`` which releases exist, ``interpreters`` which Pythons are installed, ``drivers``
which driver a database needs. ``cache`` has the folder of all environments, ``create`` creates one,
``create_many`` several at once, ``freeze`` lists what is installed, and ``environments`` combines these.
``environment`` is the result.
"""
