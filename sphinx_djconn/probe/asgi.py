"""Requests inside Django's ASGI handler: which task is given one, and which thread runs its view.

The handler is a coroutine in the event loop's thread. A view that is no coroutine runs in another
thread, and database connections belong to that one. A request ends when the handler's coroutine does,
after the response was closed and the thread, where it is the request's own, was given up.
"""

import asyncio
import functools
import itertools
import weakref
from typing import Any, Callable, Optional, Tuple

from .handlers import MARK, numbered, watched_coroutine
from .import_hooks import Imports
from .recorder import VIEW, VIEW_END, Handling, Recorder

HEADER = b"x-djconn-request"


def watch(recorder: Recorder, imports: Imports) -> None:
    """Watch Django's handlers when they are imported."""
    watcher = _Watcher(recorder)
    imports.after("django.core.handlers.asgi", watcher.asgi)


class _Watcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.tasks = weakref.WeakKeyDictionary()  # type: weakref.WeakKeyDictionary[Any, int]
        self.serials = itertools.count(1)

    def asgi(self, module: Any) -> None:
        recorder = self.recorder
        original = module.ASGIHandler.__call__

        @functools.wraps(original)
        async def call(handler: Any, scope: Any, receive: Any, send: Any) -> None:
            handling, scope = _taken(scope)
            if handling is None:
                await original(handler, scope, receive, send)
                return
            before = recorder.current.get()
            recorder.current.set(handling)
            recorder.emit("request.begin", task=self._task())
            try:
                if handling.meets:
                    await recorder.meet_in_loop(handling, "arrival")
                await original(handler, scope, receive, send)
            finally:
                recorder.end(handling)
                recorder.current.set(before)

        module.ASGIHandler.__call__ = call
        if hasattr(module.ASGIHandler, "get_response_async"):  # since Django 3.1
            self._watch_get_response(module.ASGIHandler)
        known = getattr(module.base, "iscoroutinefunction", asyncio.iscoroutinefunction)
        self._watch_views(module.ASGIHandler, known)

    def _watch_get_response(self, handler_class: Any) -> None:
        recorder = self.recorder
        original = handler_class.get_response_async

        @functools.wraps(original)
        async def get_response_async(handler: Any, request: Any) -> Any:
            handling: Optional[Handling] = recorder.current.get()
            if handling is None or handling.phase != "start" or handling.over:
                return await original(handler, request)
            handling.phase = "view"
            response = await original(handler, request)
            setattr(response, MARK, handling)
            if handling.meets:
                await recorder.meet_in_loop(handling, "departure")
            return response

        handler_class.get_response_async = get_response_async

    def _watch_views(self, handler_class: Any, is_coroutine_function: Callable[[Any], bool]) -> None:
        """Tell which thread runs the view of a request that a task was given, and when."""
        recorder, tell = self.recorder, self.recorder.tell
        original = handler_class.make_view_atomic

        @functools.wraps(original)
        def make_view_atomic(handler: Any, view: Any) -> Any:
            made = original(handler, view)
            handling: Optional[Handling] = recorder.current.get()
            if handling is None or handling.ends_with_response:
                return made
            if is_coroutine_function(made):
                return watched_coroutine(made, handling, recorder)

            @functools.wraps(made)
            def function(*args: Any, **kwargs: Any) -> Any:
                tell(VIEW, handling.number)
                try:
                    return made(*args, **kwargs)
                finally:
                    tell(VIEW_END, handling.number)

            return function

        handler_class.make_view_atomic = make_view_atomic

    def _task(self) -> int:
        """Return the serial of the task that is running; 0 where the server runs coroutines without."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return 0
        if task is None:
            return 0
        if task not in self.tasks:
            self.tasks[task] = next(self.serials)
        return self.tasks[task]


def _taken(scope: Any) -> Tuple[Optional[Handling], Any]:
    """Return the request that the lab numbered, and ``scope`` without the number."""
    if scope["type"] != "http":
        return None, scope
    headers = list(scope.get("headers", ()))
    kept = [header for header in headers if bytes(header[0]).lower() != HEADER]
    if len(kept) == len(headers):
        return None, scope
    value = next(bytes(value) for name, value in headers if bytes(name).lower() == HEADER)
    handling = numbered(value.decode("ascii", "replace"))
    if handling is not None:
        handling.ends_with_response = False
    return handling, dict(scope, headers=kept)
