"""Requests inside Django: from the handler's call to the end of ``request_finished``.

A request whose response nobody closes has no end: the next request in its thread is no sign that the server has
let go of the response.
"""

import asyncio
import functools
import re
from typing import Any, Callable, Optional

from .import_hooks import Imports
from .recorder import BEGIN, END, VIEW, VIEW_END, Handling, Recorder

HEADER = "HTTP_X_DJCONN_REQUEST"
"""The header by which the lab numbers its requests; the probe takes it away before Django looks."""

MARK = "djconn_handling"
_MEETING = re.compile("([0-9]{1,9}) meet$").match
_LONGEST = 9


def watch(recorder: Recorder, imports: Imports) -> None:
    """Watch Django's handlers and responses when they are imported."""
    watcher = _Watcher(recorder)
    imports.after("django.core.handlers.wsgi", watcher.wsgi)
    imports.after("django.core.handlers.base", watcher.base)
    imports.after("django.contrib.staticfiles.handlers", watcher.staticfiles)
    imports.after("django.http.response", watcher.response)


class _Watcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def wsgi(self, module: Any) -> None:
        recorder, current = self.recorder, self.recorder.current
        original = module.WSGIHandler.__call__

        @functools.wraps(original)
        def call(handler: Any, environ: Any, start_response: Any) -> Any:
            header = environ.pop(HEADER, None)
            handling = None if header is None else numbered(header)
            if handling is None:
                return original(handler, environ, start_response)
            if recorder.greenlet is not None:
                recorder.greenlet.handles(handling)
            current.set(handling)
            recorder.tell(BEGIN, handling.number)
            if handling.meets:
                recorder.meet("arrival")
            try:
                return original(handler, environ, start_response)
            except BaseException:
                recorder.end(handling)
                current.set(None)
                raise

        module.WSGIHandler.__call__ = call

    def base(self, module: Any) -> None:
        self._watch_get_response(module.BaseHandler)
        known = getattr(module, "iscoroutinefunction", asyncio.iscoroutinefunction)
        self._watch_views(module.BaseHandler, known)

    def staticfiles(self, module: Any) -> None:
        mixin = getattr(module, "StaticFilesHandlerMixin", None)  # since Django 3.1
        self._watch_get_response(mixin or module.StaticFilesHandler)

    def _watch_get_response(self, handler_class: Any) -> None:
        recorder, current = self.recorder, self.recorder.current
        original = handler_class.get_response

        @functools.wraps(original)
        def get_response(handler: Any, request: Any) -> Any:
            handling: Optional[Handling] = current.get()
            if handling is None or handling.phase != "start" or handling.over:
                return original(handler, request)
            handling.phase = "view"
            response = original(handler, request)
            response.djconn_handling = handling
            if handling.meets:
                recorder.meet("departure")
            return response

        handler_class.get_response = get_response

    def _watch_views(self, handler_class: Any, is_coroutine_function: Callable[[Any], bool]) -> None:
        """Tell when a view begins and ends; :mod:`asgi` does that for the requests that are given to a task."""
        recorder, tell, current = self.recorder, self.recorder.tell, self.recorder.current
        original = handler_class.make_view_atomic

        @functools.wraps(original)
        def make_view_atomic(handler: Any, view: Any) -> Any:
            made = original(handler, view)
            handling: Optional[Handling] = current.get()
            if handling is None or handling.over or not handling.ends_with_response:
                return made
            number = handling.number
            if is_coroutine_function(made):
                return watched_coroutine(made, handling, recorder)

            # Django calls what is returned, and looks at nothing else of it: to copy its name takes time.
            def watched(*args: Any, **kwargs: Any) -> Any:
                tell(VIEW, number)
                try:
                    return made(*args, **kwargs)
                finally:
                    tell(VIEW_END, number)

            return watched

        handler_class.make_view_atomic = make_view_atomic

    def response(self, module: Any) -> None:
        recorder, current = self.recorder, self.recorder.current
        original = module.HttpResponseBase.close
        setattr(module.HttpResponseBase, MARK, None)  # what an instance has that is not marked

        @functools.wraps(original)
        def close(response: Any) -> None:
            handling: Optional[Handling] = response.djconn_handling
            if handling is None or handling.over:
                original(response)
                return
            before = current.get()
            if before is not handling:
                handling.ended_elsewhere = handling.ends_with_response
                current.set(handling)
            handling.phase = "end"
            try:
                original(response)
            finally:
                # What this thread goes on with, if that is another request.
                rest = None if before is handling or before is None or before.over else before
                if rest is not None:
                    current.set(rest)
                if handling.ends_with_response and not handling.over:  # as ``recorder.end``
                    handling.over = True
                    recorder.tell(END, handling.number)
                    current.set(rest)
                    if recorder.collect is not None:
                        recorder.collect(handling.number)

        module.HttpResponseBase.close = close


def watched_coroutine(view: Any, handling: Handling, recorder: Recorder) -> Any:
    """Return ``view``, a coroutine function, which tells when it begins and ends."""

    @functools.wraps(view)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        recorder.tell(VIEW, handling.number)
        try:
            return await view(*args, **kwargs)
        finally:
            recorder.tell(VIEW_END, handling.number)

    return watched


def numbered(header: str) -> Optional[Handling]:
    """Return the request that the lab numbered in ``header``: ``7``, or ``7 meet``."""
    handling = Handling()
    if header.isdecimal() and len(header) <= _LONGEST:  # what arrives here has no digits but those of ASCII
        handling.number = int(header)
        return handling
    meeting = _MEETING(header)
    if meeting is None:
        return None
    handling.number = int(meeting.group(1))
    handling.meets = True
    return handling
