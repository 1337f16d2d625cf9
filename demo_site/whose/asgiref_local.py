"""The request in asgiref's ``Local``, which comes with Django, and still never cleared."""

from asgiref.local import Local
from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

_locals = Local()


def get_current_request():
    return getattr(_locals, "request", None)


@sync_and_async_middleware
def request_local_middleware(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            _locals.request = request
            return await get_response(request)

    else:

        def middleware(request):
            _locals.request = request
            return get_response(request)

    return middleware
