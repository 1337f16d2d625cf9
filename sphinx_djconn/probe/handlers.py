"""Watch requests in Django: from the call of the handler to the end of ``request_finished``.

A request whose response is never closed has no end. The next request in its thread is no sign that the server
has dropped the response.
"""

import asyncio
import functools
import re
from typing import Any, Callable, Optional

from .import_hooks import ImportHooks
from .recorder import BEGIN, END, VIEW, VIEW_END, Recorder, RequestState

HEADER = "HTTP_X_DJCONN_REQUEST"
"""The header with which the lab numbers its requests. The probe removes it before Django reads headers."""

MARK = "djconn_request"
_WITH_BARRIER = re.compile("([0-9]{1,9}) meet$").match
_MOST_DIGITS = 9


def watch(recorder: Recorder, imports: ImportHooks) -> None:
    """Watch Django's handlers and responses when they are imported."""
    watcher = _HandlerWatcher(recorder)
    imports.after("django.core.handlers.wsgi", watcher.wsgi)
    imports.after("django.core.handlers.base", watcher.base)
    imports.after("django.contrib.staticfiles.handlers", watcher.staticfiles)
    imports.after("django.http.response", watcher.response)


class _HandlerWatcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def wsgi(self, module: Any) -> None:
        recorder, current = self.recorder, self.recorder.current
        original = module.WSGIHandler.__call__

        @functools.wraps(original)
        def call(handler: Any, environ: Any, start_response: Any) -> Any:
            header = environ.pop(HEADER, None)
            request_state = None if header is None else parse_header(header)
            if request_state is None:
                return original(handler, environ, start_response)
            if recorder.greenlet is not None:
                recorder.greenlet.set_request(request_state)
            current.set(request_state)
            recorder.emit_packed(BEGIN, request_state.number)
            if request_state.waits_at_barrier:
                recorder.wait_at_barrier("arrival")
            try:
                return original(handler, environ, start_response)
            except BaseException:
                recorder.end(request_state)
                current.set(None)
                raise

        module.WSGIHandler.__call__ = call

    def base(self, module: Any) -> None:
        self._watch_get_response(module.BaseHandler)
        is_coroutine_function = getattr(module, "iscoroutinefunction", asyncio.iscoroutinefunction)
        self._watch_views(module.BaseHandler, is_coroutine_function)

    def staticfiles(self, module: Any) -> None:
        mixin = getattr(module, "StaticFilesHandlerMixin", None)  # since Django 3.1
        self._watch_get_response(mixin or module.StaticFilesHandler)

    def _watch_get_response(self, handler_class: Any) -> None:
        recorder, current = self.recorder, self.recorder.current
        original = handler_class.get_response

        @functools.wraps(original)
        def get_response(handler: Any, request: Any) -> Any:
            request_state: Optional[RequestState] = current.get()
            if request_state is None or request_state.phase != "start" or request_state.ended:
                return original(handler, request)
            request_state.phase = "view"
            response = original(handler, request)
            response.djconn_request = request_state
            if request_state.waits_at_barrier:
                recorder.wait_at_barrier("departure")
            return response

        handler_class.get_response = get_response

    def _watch_views(self, handler_class: Any, is_coroutine_function: Callable[[Any], bool]) -> None:
        """Emit when a view begins and ends; :mod:`asgi` does that for requests whose handler a task runs."""
        recorder, emit_packed, current = self.recorder, self.recorder.emit_packed, self.recorder.current
        original = handler_class.make_view_atomic

        @functools.wraps(original)
        def make_view_atomic(handler: Any, view: Any) -> Any:
            made = original(handler, view)
            request_state: Optional[RequestState] = current.get()
            if request_state is None or request_state.ended or not request_state.ends_with_response:
                return made
            number = request_state.number
            if is_coroutine_function(made):
                return watched_coroutine(made, request_state, recorder)

            # No ``functools.wraps``: it takes time, and Django only calls what is returned.
            def watched(*args: Any, **kwargs: Any) -> Any:
                emit_packed(VIEW, number)
                try:
                    return made(*args, **kwargs)
                finally:
                    emit_packed(VIEW_END, number)

            return watched

        handler_class.make_view_atomic = make_view_atomic

    def response(self, module: Any) -> None:
        recorder, current = self.recorder, self.recorder.current
        original = module.HttpResponseBase.close
        setattr(module.HttpResponseBase, MARK, None)  # the value for responses without a request of the lab

        @functools.wraps(original)
        def close(response: Any) -> None:
            request_state: Optional[RequestState] = response.djconn_request
            if request_state is None or request_state.ended:
                original(response)
                return
            before = current.get()
            if before is not request_state:
                request_state.ended_in_other_context = request_state.ends_with_response
                current.set(request_state)
            request_state.phase = "end"
            try:
                original(response)
            finally:
                # The other request that this thread may be handling goes on.
                rest = None if before is request_state or before is None or before.ended else before
                if rest is not None:
                    current.set(rest)
                # ``recorder.end`` without the call:
                if request_state.ends_with_response and not request_state.ended:
                    request_state.ended = True
                    recorder.emit_packed(END, request_state.number)
                    current.set(rest)
                    if recorder.collect is not None:
                        recorder.collect(request_state.number)

        module.HttpResponseBase.close = close


def watched_coroutine(view: Any, request_state: RequestState, recorder: Recorder) -> Any:
    """Return ``view``, a coroutine function, so that it emits when it begins and ends."""

    @functools.wraps(view)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        recorder.emit_packed(VIEW, request_state.number)
        try:
            return await view(*args, **kwargs)
        finally:
            recorder.emit_packed(VIEW_END, request_state.number)

    return watched


def parse_header(header: str) -> Optional[RequestState]:
    """Return the request of the lab's ``header``, ``7`` or ``7 meet``; ``None`` if it is not the lab's."""
    request_state = RequestState()
    # A header is Latin-1 text, which has no decimal digits but those of ASCII.
    if header.isdecimal() and len(header) <= _MOST_DIGITS:
        request_state.number = int(header)
        return request_state
    match = _WITH_BARRIER(header)
    if match is None:
        return None
    request_state.number = int(match.group(1))
    request_state.waits_at_barrier = True
    return request_state
