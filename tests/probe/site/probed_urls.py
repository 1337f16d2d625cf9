"""The demo site's pages, and those of the tests."""

import probed_views
from django.urls import path
from mysite.urls import urlpatterns as demo

urlpatterns = [
    path("on/<alias>/", probed_views.query_on),
    path("break/<alias>/", probed_views.break_connection),
    path("spoil/<alias>/", probed_views.spoil),
    path("close/", probed_views.close_explicitly),
    path("replace/", probed_views.replace),
    path("hold/", probed_views.hold),
    path("release/", probed_views.release),
    path("interpreter/", probed_views.interpreter),
    path("things/", probed_views.things),
    path("headers/", probed_views.headers),
    path("exit/", probed_views.leave),
    path("client-within/", probed_views.client_within),
    path("stream-of/<int:size>/", probed_views.stream_of),
    path("file/", probed_views.file),
    path("never-closed/", probed_views.never_closed),
    path("close-late/", probed_views.close_late),
    path("fork/", probed_views.fork),
    path("raw-thread/", probed_views.raw_thread),
    path("foreign-thread/", probed_views.foreign_thread),
    path("thread/", probed_views.thread),
    path("executor/", probed_views.executor),
    path("shared-executor/", probed_views.shared_executor),
    path("thread-pool/", probed_views.thread_pool),
    path("timer/", probed_views.timer),
    path("share/", probed_views.share),
    path("python/", probed_views.python),
    path("spawn/", probed_views.spawn),
    path("asynchronous/", probed_views.asynchronous),
    *demo,
]
