"""The WSGI application of a project that has no module for it where ``startproject`` puts one."""

from django.core.servers.basehttp import get_internal_wsgi_application

application = get_internal_wsgi_application()
