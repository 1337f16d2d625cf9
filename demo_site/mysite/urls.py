"""Which view answers which URL."""

from django.contrib import admin
from django.views.generic import RedirectView

from .routing import include, path

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="polls:index")),
    path("", include("behaviours.urls")),
    path("polls/", include("polls.urls")),
    path("admin/", admin.site.urls),
]
