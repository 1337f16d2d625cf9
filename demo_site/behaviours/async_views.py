"""Behaviours of views that are coroutines. Django runs them since 3.1; before, nobody asks for them."""

from django.http import JsonResponse
from polls.models import Question


async def query(request):
    """Count the questions: one query, which Django makes in another thread than the view's."""
    return JsonResponse({"questions": await Question.objects.acount()})
