"""Watch requests in Django's ASGI handler: which task runs the handler, and which thread the view.

The handler is a coroutine in the event loop's thread. A view that is not a coroutine runs in another thread,
and its database connections belong to that thread. A request ends when the handler's coroutine does: after the
response has been closed, and after the thread has ended, if the request had one of its own.
"""

import asyncio
import functools
import itertools
import weakref
from typing import Any, Callable, Optional, Tuple

from .handlers import MARK, parse_header, watched_coroutine
from .import_hooks import ImportHooks
from .recorder import VIEW, VIEW_END, Recorder, RequestState

HEADER = b"x-djconn-request"


def watch(recorder: Recorder, imports: ImportHooks) -> None:
    """Watch Django's handlers when they are imported."""
    watcher = _AsgiWatcher(recorder)
    imports.after("django.core.handlers.asgi", watcher.asgi)


class _AsgiWatcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.tasks = weakref.WeakKeyDictionary()  # type: weakref.WeakKeyDictionary[Any, int]
        self.serials = itertools.count(1)

    def asgi(self, module: Any) -> None:
        recorder = self.recorder
        original = module.ASGIHandler.__call__

        @functools.wraps(original)
        async def call(handler: Any, scope: Any, receive: Any, send: Any) -> None:
            request_state, scope = _take_header(scope)
            if request_state is None:
                await original(handler, scope, receive, send)
                return
            before = recorder.current.get()
            recorder.current.set(request_state)
            recorder.emit("request.begin", task=self._task())
            try:
                if request_state.waits_at_barrier:
                    await recorder.wait_at_barrier_in_loop(request_state, "arrival")
                await original(handler, scope, receive, send)
            finally:
                recorder.end(request_state)
                recorder.current.set(before)

        module.ASGIHandler.__call__ = call
        if hasattr(module.ASGIHandler, "get_response_async"):  # since Django 3.1
            self._watch_get_response(module.ASGIHandler)
        is_coroutine_function = getattr(module.base, "iscoroutinefunction", asyncio.iscoroutinefunction)
        self._watch_views(module.ASGIHandler, is_coroutine_function)

    def _watch_get_response(self, handler_class: Any) -> None:
        recorder = self.recorder
        original = handler_class.get_response_async

        @functools.wraps(original)
        async def get_response_async(handler: Any, request: Any) -> Any:
            request_state: Optional[RequestState] = recorder.current.get()
            if request_state is None or request_state.phase != "start" or request_state.ended:
                return await original(handler, request)
            request_state.phase = "view"
            response = await original(handler, request)
            setattr(response, MARK, request_state)
            if request_state.waits_at_barrier:
                await recorder.wait_at_barrier_in_loop(request_state, "departure")
            return response

        handler_class.get_response_async = get_response_async

    def _watch_views(self, handler_class: Any, is_coroutine_function: Callable[[Any], bool]) -> None:
        """Emit when, and in which thread, the view of a request runs whose handler a task runs."""
        recorder, emit_packed = self.recorder, self.recorder.emit_packed
        original = handler_class.make_view_atomic

        @functools.wraps(original)
        def make_view_atomic(handler: Any, view: Any) -> Any:
            made = original(handler, view)
            request_state: Optional[RequestState] = recorder.current.get()
            if request_state is None or request_state.ends_with_response:
                return made
            if is_coroutine_function(made):
                return watched_coroutine(made, request_state, recorder)

            @functools.wraps(made)
            def function(*args: Any, **kwargs: Any) -> Any:
                emit_packed(VIEW, request_state.number)
                try:
                    return made(*args, **kwargs)
                finally:
                    emit_packed(VIEW_END, request_state.number)

            return function

        handler_class.make_view_atomic = make_view_atomic

    def _task(self) -> int:
        """Return the serial of the current task; 0 if the server runs coroutines without tasks."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return 0
        if task is None:
            return 0
        if task not in self.tasks:
            self.tasks[task] = next(self.serials)
        return self.tasks[task]


def _take_header(scope: Any) -> Tuple[Optional[RequestState], Any]:
    """Return the request that the lab has numbered, and ``scope`` without the lab's header."""
    if scope["type"] != "http":
        return None, scope
    headers = list(scope.get("headers", ()))
    others = [header for header in headers if bytes(header[0]).lower() != HEADER]
    if len(others) == len(headers):
        return None, scope
    value = next(bytes(value) for name, value in headers if bytes(name).lower() == HEADER)
    request_state = parse_header(value.decode("ascii", "replace"))
    if request_state is not None:
        request_state.ends_with_response = False
    return request_state, dict(scope, headers=others)
