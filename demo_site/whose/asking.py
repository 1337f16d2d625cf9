"""What code anywhere does: it has no request, and asks for the current one."""

from django.conf import settings
from django.utils.module_loading import import_string

get_current_request = import_string(settings.GET_CURRENT_REQUEST)


def user_of(request):
    """Return who asks: a name in the URL, where a real site would look at ``request.user``."""
    return request.GET.get("user")


def user_of_current_request():
    request = get_current_request()
    return None if request is None else user_of(request)
