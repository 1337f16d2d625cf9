from django.urls import path

from . import views

urlpatterns = [
    path("whose/", views.whose),
    path("whose/async/", views.whose_async),
    path("whose/stream/", views.whose_stream),
]
