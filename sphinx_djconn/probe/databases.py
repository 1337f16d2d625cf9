"""Watch database wrappers and their connections: created, opened, reused, checked, closed, freed.

A backend may override each method that is watched, and may or may not call the original. So all classes of a
wrapper are watched when the first wrapper of its class is created, and each override is wrapped. Events follow
from the state of the wrapper before and after a call, not from the call itself: if a wrapped method calls
another one, the inner one emits the change, and the outer one sees nothing new.
"""

import functools
import os
import sys
import weakref
from contextlib import suppress
from typing import Any, Callable, Dict, Optional, Set, Tuple

from .channel import OWNER
from .import_hooks import ImportHooks
from .recorder import USE, Recorder, RequestState

_STATE = "djconn_state"
_SHARED = RequestState()
"""Stands for the user of a connection that threads share: then each query checks which one uses it."""

_VARIADIC = 0x04 | 0x08
"""``inspect.CO_VARARGS`` and ``CO_VARKEYWORDS``, the flags of code with ``*args`` or ``**kwargs``."""


def watch(recorder: Recorder, imports: ImportHooks) -> None:
    """Watch Django's database wrappers when their base class is imported."""
    imports.after("django.db.backends.base.base", _DatabaseWatcher(recorder).base)


class _State:
    """What the probe knows of a wrapper. It holds no reference to the wrapper or a connection.

    ``identity`` is the ``id()`` of the open connection, or of ``None``. No other object has that while the
    wrapper holds the connection. ``user`` is the request whose use of the connection was emitted last. If
    threads share the wrapper, ``users`` are all those whose use was emitted: a request, a thread and a greenlet
    each. ``check`` is the check that is running, ``obsolete`` or ``health``.
    """

    __slots__ = ("check", "connecting", "connection", "identity", "owner", "pooled", "serial", "user", "users")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.connection: Optional[int] = None
        self.owner = b""
        self.identity = id(None)
        self.user: Optional[RequestState] = None
        self.check: Optional[str] = None
        self.users: Optional[Set[Tuple[Optional[RequestState], int, int]]] = None
        self.connecting = False
        self.pooled = False


def _session_of(wrapper: Any, connection: Any) -> Dict[str, Any]:
    """Return fields about the session that the driver has without a query.

    ``pid`` identifies the session at the server. ``inode`` is that of the socket: the lab looks it up in
    ``/proc``. ``pooled`` means that the connection comes from a pool, to which Django gives it back instead of
    closing it: ``psycopg_pool`` sets an attribute of the connections that it hands out.
    """
    fields: Dict[str, Any] = {}
    vendor = getattr(wrapper, "vendor", "")
    with suppress(Exception):  # as below; and not every driver has it
        if vendor in ("postgresql", "mysql"):
            fields["inode"] = os.fstat(connection.fileno()).st_ino
    try:
        if vendor == "postgresql":
            # psycopg2 had no ``info`` before 2.8, and psycopg has nothing else.
            old = getattr(connection, "get_backend_pid", None)
            fields["pid"] = int(connection.info.backend_pid if old is None else old())
            if getattr(connection, "_pool", None) is not None:
                fields["pooled"] = True
        elif vendor == "mysql":
            fields["pid"] = int(connection.thread_id())
    except Exception:  # noqa: BLE001 - a third-party backend may have other connections
        return {}
    return fields


def takes_only_self(method: Any) -> bool:
    """Return whether ``method`` takes no arguments but ``self``."""
    unsafe = getattr(sys.modules.get("django.utils.asyncio"), "async_unsafe", None)  # since Django 3.0
    if unsafe is not None and getattr(method, "__code__", None) is unsafe(takes_only_self).__code__:
        method = method.__wrapped__  # which gets the same arguments
    code = getattr(method, "__code__", None)
    return (
        code is not None and code.co_argcount == 1 and not (code.co_kwonlyargcount or code.co_flags & _VARIADIC)
    )


class _DatabaseWatcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.seen = weakref.WeakSet()  # type: weakref.WeakSet[type]
        self.wrappers: Dict[int, Any] = {}
        self.aliases_sent_by = 0

    def base(self, module: Any) -> None:
        original = module.BaseDatabaseWrapper.__init__
        setattr(module.BaseDatabaseWrapper, _STATE, None)  # the value in a wrapper's ``__init__``

        @functools.wraps(original)
        def init(wrapper: Any, *args: Any, **kwargs: Any) -> None:
            original(wrapper, *args, **kwargs)
            self._created(wrapper)

        module.BaseDatabaseWrapper.__init__ = init

    def _created(self, wrapper: Any) -> None:
        for owner in type(wrapper).__mro__:
            if owner not in self.seen:
                self.seen.add(owner)
                self._watch_class(owner)
        if self.aliases_sent_by != self.recorder.channel.pid:
            self._emit_aliases()
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

    def _emit_aliases(self) -> None:
        """Emit the aliases of all databases, once in each process: unused databases have no wrapper."""
        connections: Any = getattr(sys.modules.get("django.db"), "connections", None)
        # If a wrapper is created without ``django.db.connections``, the settings may not be loaded yet.
        if {"settings", "databases"} & set(getattr(connections, "__dict__", ())):
            self.aliases_sent_by = self.recorder.channel.pid
            self.recorder.emit("databases", aliases=list(connections))

    def _collected(self, state: _State, _: Any) -> None:
        del self.wrappers[state.serial]
        if state.connection is not None and not sys.is_finalizing():
            self.recorder.send("db.collected", w=state.serial, c=state.connection)

    def _watch_class(self, owner: Any) -> None:
        for name, watched in (
            ("connect", self._unless_in_init(self._watch_connect)),
            ("close", self._unless_in_init(self._watch_close)),
            ("ensure_connection", self._without_arguments(self._watch_ensure_connection)),
            ("inc_thread_sharing", self._unless_in_init(self._watch_sharing)),
            ("is_usable", self._unless_in_init(self._watch_is_usable)),
            (
                "close_if_unusable_or_obsolete",
                self._without_arguments(functools.partial(self._watch_check, "obsolete")),
            ),
            (
                "close_if_health_check_failed",
                self._without_arguments(functools.partial(self._watch_check, "health")),
            ),
        ):
            original = owner.__dict__.get(name)
            if original is not None:
                setattr(owner, name, functools.wraps(original)(watched(original)))

    def _without_arguments(self, watch: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``watch`` for a method that Django calls for each query or request, without arguments.

        Passing no arguments saves time. An override that takes arguments gets those that it is called with.
        """

        def watched(original: Callable[..., Any]) -> Callable[..., Any]:
            def method(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
                return watch(lambda wrapper: original(wrapper, *args, **kwargs))(wrapper)

            without: Callable[..., Any] = watch(original)
            return without if takes_only_self(original) else method

        return watched

    def _unless_in_init(self, watch: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``watch``, except that the original method is called in the wrapper's ``__init__``."""

        def watched(original: Callable[..., Any]) -> Callable[..., Any]:
            watched_method = watch(original)

            def method(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
                state: Optional[_State] = wrapper.djconn_state
                if state is None:
                    return original(wrapper, *args, **kwargs)
                return watched_method(state, wrapper, *args, **kwargs)

            return method

        return watched

    def _emit_changes(self, state: _State, wrapper: Any, why: str) -> None:
        """Emit that the wrapper's connection was closed because of ``why``, that one was opened, or both."""
        connection = None if wrapper.closed_in_transaction else wrapper.connection
        identity = id(connection)
        if identity == state.identity:
            return
        state.identity = identity
        if state.connection is not None:
            pooled = {"pooled": True} if state.pooled else {}
            self.recorder.emit(
                "db.close", w=state.serial, c=state.connection, why=why, phase=self._phase(), **pooled
            )
            state.connection = None
            if state.users is not None:
                state.users.clear()
        if connection is not None:
            state.connection = next(self.recorder.connections)
            state.owner = OWNER.pack(state.serial, state.connection)
            state.user = self.recorder.request_state if state.users is None else _SHARED
            fields = _session_of(wrapper, connection)
            state.pooled = "pooled" in fields
            self.recorder.emit("db.open", w=state.serial, c=state.connection, alias=wrapper.alias, **fields)

    def _phase(self) -> str:
        request_state = self.recorder.request_state
        return "outside" if request_state is None else request_state.phase

    def _watch_connect(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            self._emit_changes(state, wrapper, "dropped")
            outermost, state.connecting = not state.connecting, True
            failure = None
            try:
                return original(wrapper, *args, **kwargs)
            except Exception as error:
                failure = type(error).__name__
                raise
            finally:
                self._emit_changes(state, wrapper, "dropped")
                if outermost:
                    state.connecting = False
                    if failure is not None:
                        self.recorder.emit("db.failed", w=state.serial, error=failure)

        return connect

    def _watch_close(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def close(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            self._emit_changes(state, wrapper, "dropped")
            why = self._close_reason(state, wrapper)
            try:
                return original(wrapper, *args, **kwargs)
            finally:
                self._emit_changes(state, wrapper, why)

        return close

    def _close_reason(self, state: _State, wrapper: Any) -> str:
        """Return why Django closes the connection: the conditions of ``close_if_unusable_or_obsolete``."""
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

    def _watch_ensure_connection(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # This runs for each query, so the usual case, in which nothing has changed, must be fast.
        emit_changes = self._emit_changes
        emit_packed, current = self.recorder.emit_packed, self.recorder.current

        def ensure_connection(wrapper: Any) -> Any:
            state: Optional[_State] = wrapper.djconn_state
            if state is None:
                return original(wrapper)
            try:
                return original(wrapper)
            finally:
                if id(wrapper.connection) != state.identity:
                    emit_changes(state, wrapper, "dropped")
                request_state = current.get()
                if request_state is not state.user and state.check is None:
                    if request_state is None or request_state.ended or state.users is not None:
                        self._emit_use(state)
                    elif state.connection is not None:
                        state.user = request_state
                        emit_packed(USE, request_state.number, state.owner)

        return ensure_connection

    def _emit_use(self, state: _State) -> None:
        """Emit the use of a connection by what a request started or, if threads share it, by a thread."""
        recorder = self.recorder
        request_state = recorder.request_state
        if state.connection is None:
            return
        if state.users is not None:
            greenlet = 0 if recorder.greenlet is None else recorder.greenlet()
            user = (request_state, recorder.thread(), greenlet)
            if user not in state.users:
                state.users.add(user)
                recorder.emit("db.use", w=state.serial, c=state.connection)
        elif request_state is not None and request_state is not state.user:
            state.user = request_state
            recorder.emit_packed(USE, request_state.number, state.owner)

    def _watch_sharing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Watch the method that allows other threads to use the wrapper (since Django 2.2)."""

        def share(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            if state.users is None:
                state.users = set()
                state.user = _SHARED
            return original(wrapper, *args, **kwargs)

        return share

    def _watch_is_usable(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def is_usable(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            usable = original(wrapper, *args, **kwargs)
            if state.connection is not None and state.check is not None:
                kind = "db.health" if state.check == "health" else "db.usable"
                self.recorder.emit(kind, w=state.serial, c=state.connection, usable=bool(usable))
            return usable

        return is_usable

    def _watch_check(self, check: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Watch a method that decides whether to close. What it does is not a use by the request."""

        def checking(wrapper: Any) -> Any:
            state: Optional[_State] = wrapper.djconn_state
            if state is None:
                return original(wrapper)
            outer = state.check
            if outer is None:
                state.check = check
            try:
                return original(wrapper)
            finally:
                state.check = outer

        return checking
