"""The request in a ``ContextVar``, and still never cleared."""

from contextvars import ContextVar

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

_request = ContextVar("request", default=None)


def get_current_request():
    return _request.get()


@sync_and_async_middleware
def request_context_middleware(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            _request.set(request)
            return await get_response(request)

    else:

        def middleware(request):
            _request.set(request)
            return get_response(request)

    return middleware
