"""A middleware that asks before the current request is set: it stands first in MIDDLEWARE."""

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

from .asking import user_of_current_request


@sync_and_async_middleware
def early_middleware(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            request.seen_early = user_of_current_request()
            return await get_response(request)

    else:

        def middleware(request):
            request.seen_early = user_of_current_request()
            return get_response(request)

    return middleware
