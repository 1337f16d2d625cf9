"""Database wrappers and their connections: created, opened, used again, checked, closed, collected.

A backend may override any method that is watched, with or without a call of the one it overrides. So
each class of a wrapper's is watched at the first wrapper of its kind, every override of a method is
wrapped, and what is emitted follows from the state before and after the call, not from the call: the
inner of two wrapped methods sees the change, the outer sees nothing new.
"""

import functools
import sys
import weakref
from typing import Any, Callable, Dict, Optional

from .imports import Imports
from .recorder import Handling, Recorder

_STATE = "_djconn"


def watch(recorder: Recorder, imports: Imports) -> None:
    """Watch Django's database wrappers when their base class is imported."""
    imports.after("django.db.backends.base.base", _Watcher(recorder).base)


class _State:
    """What the probe knows of one wrapper. It holds no reference to the wrapper or a connection."""

    __slots__ = ("check", "connecting", "connection", "serial", "user")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.connection: Optional[int] = None
        self.user: Optional[Handling] = None
        self.check: Optional[str] = None
        self.connecting = False


class _Watcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.seen = set()  # type: set[int]
        self.wrappers: Dict[int, Any] = {}

    def base(self, module: Any) -> None:
        original = module.BaseDatabaseWrapper.__init__

        @functools.wraps(original)
        def init(wrapper: Any, *args: Any, **kwargs: Any) -> None:
            original(wrapper, *args, **kwargs)
            self._created(wrapper)

        module.BaseDatabaseWrapper.__init__ = init

    def _created(self, wrapper: Any) -> None:
        for owner in type(wrapper).__mro__:
            if id(owner) not in self.seen:  # classes live as long as the server does
                self.seen.add(id(owner))
                self._watch_class(owner)
        state = _State(next(self.recorder.wrappers))
        setattr(wrapper, _STATE, state)
        self.wrappers[state.serial] = weakref.ref(wrapper, functools.partial(self._collected, state))
        self.recorder.emit(
            "db.wrapper",
            w=state.serial,
            alias=wrapper.alias,
            vendor=getattr(wrapper, "vendor", "unknown"),
            max_age=wrapper.settings_dict.get("CONN_MAX_AGE", 0),
            health_checks=bool(wrapper.settings_dict.get("CONN_HEALTH_CHECKS", False)),
        )

    def _collected(self, state: _State, _: Any) -> None:
        del self.wrappers[state.serial]
        if state.connection is not None and not sys.is_finalizing():
            self.recorder.emit("db.collected", w=state.serial, c=state.connection)

    def _watch_class(self, owner: Any) -> None:
        for name, watched in (
            ("connect", self._connect),
            ("close", self._close),
            ("ensure_connection", self._ensure_connection),
            ("is_usable", self._is_usable),
            ("close_if_unusable_or_obsolete", functools.partial(self._checked, "obsolete")),
            ("close_if_health_check_failed", functools.partial(self._checked, "health")),
        ):
            original = owner.__dict__.get(name)
            if original is not None:
                setattr(owner, name, watched(original))

    def _connect(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def connect(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            state: Optional[_State] = getattr(wrapper, _STATE, None)
            if state is None or state.connecting:
                return original(wrapper, *args, **kwargs)
            state.connecting = True
            try:
                result = original(wrapper, *args, **kwargs)
            except Exception as error:
                self.recorder.emit("db.failed", w=state.serial, error=type(error).__name__)
                raise
            finally:
                state.connecting = False
            if wrapper.connection is not None:
                state.connection = next(self.recorder.connections)
                state.user = self.recorder.handling
                self.recorder.emit("db.open", w=state.serial, c=state.connection, alias=wrapper.alias)
            return result

        return connect

    def _close(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def close(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            state: Optional[_State] = getattr(wrapper, _STATE, None)
            if state is None or state.connection is None:
                return original(wrapper, *args, **kwargs)
            why = self._why(wrapper, state)
            try:
                return original(wrapper, *args, **kwargs)
            finally:
                if wrapper.connection is None or wrapper.closed_in_transaction:
                    self._closed(state, why)

        return close

    def _why(self, wrapper: Any, state: _State) -> str:
        """Return why Django closes now, as ``close_if_unusable_or_obsolete`` decides it."""
        if state.check is None:
            return "explicit"
        if state.check == "health":
            return "health check"
        if wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]:
            return "autocommit"
        if wrapper.errors_occurred:
            return "error"
        ageless = wrapper.settings_dict["CONN_MAX_AGE"] == 0
        return "end of request" if ageless and self._phase() == "end" else "age"

    def _closed(self, state: _State, why: str) -> None:
        if state.connection is not None:
            self.recorder.emit(
                "db.close", w=state.serial, c=state.connection, why=why, phase=self._phase()
            )
            state.connection = None

    def _phase(self) -> str:
        handling = self.recorder.handling
        return "outside" if handling is None else handling.phase

    def _ensure_connection(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def ensure_connection(wrapper: Any) -> Any:
            state: Optional[_State] = getattr(wrapper, _STATE, None)
            if state is not None and state.connection is not None and state.check is None:
                if wrapper.connection is None:
                    self._closed(state, "dropped")
                else:
                    handling = self.recorder.handling
                    if handling is not state.user and handling is not None:
                        state.user = handling
                        self.recorder.emit("db.use", w=state.serial, c=state.connection)
            return original(wrapper)

        return ensure_connection

    def _is_usable(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def is_usable(wrapper: Any) -> Any:
            usable = original(wrapper)
            state: Optional[_State] = getattr(wrapper, _STATE, None)
            if state is not None and state.connection is not None and state.check is not None:
                kind = "db.health" if state.check == "health" else "db.usable"
                self.recorder.emit(kind, w=state.serial, c=state.connection, usable=bool(usable))
            return usable

        return is_usable

    def _checked(self, check: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a method that decides whether to close: what happens inside is not use by a request."""

        @functools.wraps(original)
        def checking(wrapper: Any) -> Any:
            state: Optional[_State] = getattr(wrapper, _STATE, None)
            if state is None or state.check is not None:
                return original(wrapper)
            state.check = check
            try:
                return original(wrapper)
            finally:
                state.check = None

        return checking
