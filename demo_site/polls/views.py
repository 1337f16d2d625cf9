"""The pages of the polls, each with the number of its queries."""

import json

from django.db.models import F
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .forms import QuestionForm
from .models import Choice, Question


# Exempt, so that a program can post without fetching a token first. It is safe because the view
# looks at no cookie: a forged request could do no more than what anybody may do here.
@csrf_exempt
def index(request):
    """List the latest questions, or create one from what is posted. One query."""
    if request.method == "POST":
        return create(request)
    questions = Question.objects.order_by("-pub_date", "-pk")[:20]
    return render(request, "polls/index.html", {"questions": questions})


def create(request):
    """Create a question from a form or a JSON object; nothing posted asks "What's new?"."""
    fields = request.POST
    if request.content_type == "application/json":
        try:
            fields = dict(json.loads(request.body.decode()))
        except (TypeError, ValueError):
            return JsonResponse({"body": ["This is no JSON object."]}, status=400)
    form = QuestionForm(fields or {"question_text": "What's new?"})
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    question = form.save()
    created = {"id": question.pk, "question_text": question.question_text}
    response = JsonResponse(created, status=201)
    response["Location"] = reverse("polls:detail", args=[question.pk])
    return response


def detail(request, question_id):
    """Show a question and its choices. Two queries."""
    question = get_object_or_404(Question, pk=question_id)
    return render(request, "polls/detail.html", {"question": question})


@require_POST
def vote(request, question_id):
    """Count a vote. Three queries: the question, the choice, the update."""
    question = get_object_or_404(Question, pk=question_id)
    try:
        choice = question.choice_set.get(pk=request.POST["choice"])
    except (KeyError, ValueError, Choice.DoesNotExist):
        context = {"question": question, "error_message": "You didn't select a choice."}
        return render(request, "polls/detail.html", context)
    # Added up by the database: two votes at once both count.
    choice.votes = F("votes") + 1
    choice.save()
    # Redirected, so that a reload of the page doesn't vote again.
    return redirect("polls:detail", question.pk)
