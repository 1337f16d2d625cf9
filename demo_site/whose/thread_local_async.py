"""The same ``threading.local``, set by a middleware that async views need no thread for."""

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

from .thread_local import RequestThreadMiddleware, _thread_locals, get_current_request

__all__ = ["get_current_request", "request_thread_middleware"]


@sync_and_async_middleware
def request_thread_middleware(get_response):
    if not iscoroutinefunction(get_response):
        return RequestThreadMiddleware(get_response)

    async def middleware(request):
        _thread_locals.request = request
        return await get_response(request)

    return middleware
