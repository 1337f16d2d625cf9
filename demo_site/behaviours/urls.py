from mysite.routing import path

from . import async_views, views

urlpatterns = [
    path("plain/", views.plain),
    path("query/", views.query),
    path("query/async/", async_views.query),
    path("query-each/", views.query_each),
    path("broken-query/", views.broken_query),
    path("caught-error/", views.caught_error),
    path("stream/", views.stream),
    path("slow/", views.slow),
    path("large/", views.large),
    path("redirect/", views.redirect_to_polls),
    path("whoami/", views.whoami),
    path("session-parameter/", views.session_parameter),
    path("session-parameter/set/", views.set_session_parameter),
    path("worker/", views.ask_worker),
    path("worker/query/", views.query_in_worker),
    path("worker/close-old/", views.close_old_in_worker),
    path("collect/", views.collect),
]
