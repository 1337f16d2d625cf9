"""The request in a ``ContextVar``, from the middleware's beginning to its end and no longer."""

from contextlib import contextmanager
from contextvars import ContextVar

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

_request = ContextVar("request", default=None)


def get_current_request():
    """Return the request that is being handled here, or None."""
    return _request.get()


@contextmanager
def current(request):
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


@sync_and_async_middleware
def current_request_middleware(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            with current(request):
                return await get_response(request)

    else:

        def middleware(request):
            with current(request):
                return get_response(request)

    return middleware
