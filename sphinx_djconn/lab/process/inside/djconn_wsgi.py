"""The WSGI application of a project without the module that ``startproject`` creates for it."""

from django.core.servers.basehttp import get_internal_wsgi_application

application = get_internal_wsgi_application()
