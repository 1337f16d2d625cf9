"""Views that tell whose request they see. None of them makes a query.

``?user=anna`` is who asks; with ``?meet=2``, the view waits until two requests are in it.
"""

from django.http import HttpResponseBadRequest, JsonResponse, StreamingHttpResponse

from .asking import user_of, user_of_current_request
from .meeting import meet, meet_async

LARGEST_PARTY = 10


def whose(request):
    """Tell who asks, whose request ``early_middleware`` saw, who was met, and whose request is seen."""
    size = size_of_party(request)
    if size is None:
        return HttpResponseBadRequest(f"meet is a number from 1 to {LARGEST_PARTY}.\n")
    return seen(request, meet(user_of(request), size))


async def whose_async(request):
    """Tell the same from a coroutine, in the thread of the event loop."""
    size = size_of_party(request)
    if size is None:
        return HttpResponseBadRequest(f"meet is a number from 1 to {LARGEST_PARTY}.\n")
    return seen(request, await meet_async(user_of(request), size))


def whose_stream(request):
    """Tell whose request is seen while the response is sent, after all middleware has returned."""
    return StreamingHttpResponse(seen_late(request), content_type="application/json")


def size_of_party(request):
    try:
        size = int(request.GET.get("meet", "1"))
    except ValueError:
        return None
    return size if 1 <= size <= LARGEST_PARTY else None


def seen(request, met):
    return JsonResponse(
        {
            "user": user_of(request),
            "early": request.seen_early,
            "met": met,
            "saw": user_of_current_request(),
        }
    )


def seen_late(request):
    yield from seen(request, [])
