"""A server that opens a connection, forks workers, and lets each serve one request."""

import os
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.wsgi import get_wsgi_application

WORKERS = 2

if __name__ == "__main__":
    application = get_wsgi_application()
    from probed_views import query

    query()
    server = WSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(application)
    for _ in range(WORKERS):
        if os.fork() == 0:
            server.handle_request()
            os._exit(0)
    for _ in range(WORKERS):
        os.wait()
