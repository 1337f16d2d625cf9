"""Database wrappers and their connections: created, opened, used again, checked, closed, collected.

A backend may override any method that is watched, with or without a call of the one it overrides. So
each class of a wrapper's is watched at the first wrapper of its kind, every override of a method is
wrapped, and what is emitted follows from the wrapper's state before and after the call, not from the
call: the inner of two wrapped methods sees the change, the outer sees nothing new.
"""

import functools
import os
import sys
import weakref
from contextlib import suppress
from typing import Any, Callable, Dict, Optional, Set, Tuple

from .channel import OWNER
from .import_hooks import Imports
from .recorder import USE, Handling, Recorder

_STATE = "djconn_state"
_ANYBODY = Handling()
"""In the place of the user of a connection that threads share: each query asks who makes it."""

_MORE = 0x04 | 0x08
"""``inspect.CO_VARARGS`` and ``CO_VARKEYWORDS``: of code that takes ``*args`` or ``**kwargs``."""


def watch(recorder: Recorder, imports: Imports) -> None:
    """Watch Django's database wrappers when their base class is imported."""
    imports.after("django.db.backends.base.base", _Watcher(recorder).base)


class _State:
    """What the probe knows of one wrapper. It holds no reference to the wrapper or a connection.

    ``identity`` is the ``id()`` of the open connection, or of ``None``: while the wrapper holds that, it is
    no other's. ``users`` are those of a wrapper that threads share, as far as their use was told.
    """

    __slots__ = ("check", "connecting", "connection", "identity", "owner", "pooled", "serial", "user", "users")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.connection: Optional[int] = None
        self.owner = b""
        self.identity = id(None)
        self.user: Optional[Handling] = None
        self.check: Optional[str] = None
        self.users: Optional[Set[Tuple[Optional[Handling], int, int]]] = None
        self.connecting = False
        self.pooled = False


def _of_server(wrapper: Any, connection: Any) -> Dict[str, Any]:
    """Return what a driver knows of the session without asking the server: its ``pid`` there.

    ``inode`` is that of its socket, by which the kernel can be asked whether it is still open.

    ``pooled`` tells that the connection comes from a pool, to which Django gives it back instead of closing it:
    ``psycopg_pool`` leaves its mark on those that are out, by which Django finds the pool.
    """
    more: Dict[str, Any] = {}
    vendor = getattr(wrapper, "vendor", "")
    with suppress(Exception):  # as below; and not every driver tells it
        if vendor in ("postgresql", "mysql"):
            more["inode"] = os.fstat(connection.fileno()).st_ino
    try:
        if vendor == "postgresql":
            # psycopg2 had no ``info`` before 2.8, and psycopg has nothing else.
            old = getattr(connection, "get_backend_pid", None)
            more["pid"] = int(connection.info.backend_pid if old is None else old())
            if getattr(connection, "_pool", None) is not None:
                more["pooled"] = True
        elif vendor == "mysql":
            more["pid"] = int(connection.thread_id())
    except Exception:  # noqa: BLE001 - a backend of the project's own may have connections of its own
        return {}
    return more


def takes_nothing(method: Any) -> bool:
    """Return whether ``method`` can be called with its object alone, and with nothing else."""
    unsafe = getattr(sys.modules.get("django.utils.asyncio"), "async_unsafe", None)  # since Django 3.0
    if unsafe is not None and getattr(method, "__code__", None) is unsafe(takes_nothing).__code__:
        method = method.__wrapped__  # to which it passes what it is called with
    code = getattr(method, "__code__", None)
    return code is not None and code.co_argcount == 1 and not (code.co_kwonlyargcount or code.co_flags & _MORE)


class _Watcher:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.seen = weakref.WeakSet()  # type: weakref.WeakSet[type]
        self.wrappers: Dict[int, Any] = {}
        self.told_in = 0

    def base(self, module: Any) -> None:
        original = module.BaseDatabaseWrapper.__init__
        setattr(module.BaseDatabaseWrapper, _STATE, None)  # what a wrapper has that is still being made

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
        if self.told_in != self.recorder.channel.pid:
            self._tell_aliases()
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

    def _tell_aliases(self) -> None:
        """Tell once in a process which databases there are: Django has wrappers of those that are used."""
        connections: Any = getattr(sys.modules.get("django.db"), "connections", None)
        # Where a wrapper was made without Django's own connections, their settings may not be there yet.
        if {"settings", "databases"} & set(getattr(connections, "__dict__", ())):
            self.told_in = self.recorder.channel.pid
            self.recorder.emit("databases", aliases=list(connections))

    def _collected(self, state: _State, _: Any) -> None:
        del self.wrappers[state.serial]
        if state.connection is not None and not sys.is_finalizing():
            self.recorder.send("db.collected", w=state.serial, c=state.connection)

    def _watch_class(self, owner: Any) -> None:
        for name, watched in (
            ("connect", self._for_known(self._connect)),
            ("close", self._for_known(self._close)),
            ("ensure_connection", self._bare(self._ensure_connection)),
            ("inc_thread_sharing", self._for_known(self._share)),
            ("is_usable", self._for_known(self._is_usable)),
            ("close_if_unusable_or_obsolete", self._bare(functools.partial(self._checked, "obsolete"))),
            ("close_if_health_check_failed", self._bare(functools.partial(self._checked, "health"))),
        ):
            original = owner.__dict__.get(name)
            if original is not None:
                setattr(owner, name, functools.wraps(original)(watched(original)))

    def _bare(self, watch: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``watch`` for a method that Django calls for each query or request, with the wrapper alone.

        To pass nothing else takes less time. An override that may take more is called with all it is given.
        """

        def watched(original: Callable[..., Any]) -> Callable[..., Any]:
            def method(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
                return watch(lambda wrapper: original(wrapper, *args, **kwargs))(wrapper)

            bare: Callable[..., Any] = watch(original)
            return bare if takes_nothing(original) else method

        return watched

    def _for_known(self, watch: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``watch`` for a method that is called as it was where the wrapper is still being made."""

        def watched(original: Callable[..., Any]) -> Callable[..., Any]:
            known = watch(original)

            def method(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
                state: Optional[_State] = wrapper.djconn_state
                if state is None:
                    return original(wrapper, *args, **kwargs)
                return known(state, wrapper, *args, **kwargs)

            return method

        return watched

    def _compare(self, state: _State, wrapper: Any, why: str) -> None:
        """Tell what has become of the wrapper's connection: closed because of ``why``, opened, or both."""
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
            state.user = self.recorder.handling if state.users is None else _ANYBODY
            more = _of_server(wrapper, connection)
            state.pooled = "pooled" in more
            self.recorder.emit("db.open", w=state.serial, c=state.connection, alias=wrapper.alias, **more)

    def _phase(self) -> str:
        handling = self.recorder.handling
        return "outside" if handling is None else handling.phase

    def _connect(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            self._compare(state, wrapper, "dropped")
            outermost, state.connecting = not state.connecting, True
            failure = None
            try:
                return original(wrapper, *args, **kwargs)
            except Exception as error:
                failure = type(error).__name__
                raise
            finally:
                self._compare(state, wrapper, "dropped")
                if outermost:
                    state.connecting = False
                    if failure is not None:
                        self.recorder.emit("db.failed", w=state.serial, error=failure)

        return connect

    def _close(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def close(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            self._compare(state, wrapper, "dropped")
            why = self._why(state, wrapper)
            try:
                return original(wrapper, *args, **kwargs)
            finally:
                self._compare(state, wrapper, why)

        return close

    def _why(self, state: _State, wrapper: Any) -> str:
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

    def _ensure_connection(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # For every query: what is as it was before costs little.
        compare, tell, current = self._compare, self.recorder.tell, self.recorder.current

        def ensure_connection(wrapper: Any) -> Any:
            state: Optional[_State] = wrapper.djconn_state
            if state is None:
                return original(wrapper)
            try:
                return original(wrapper)
            finally:
                if id(wrapper.connection) != state.identity:
                    compare(state, wrapper, "dropped")
                handling = current.get()
                if handling is not state.user and state.check is None:
                    if handling is None or handling.over or state.users is not None:
                        self._used(state)
                    elif state.connection is not None:
                        state.user = handling
                        tell(USE, handling.number, state.owner)

        return ensure_connection

    def _used(self, state: _State) -> None:
        """Tell the use of a connection by what a request has started or, if threads share it, by any."""
        recorder = self.recorder
        handling = recorder.handling
        if state.connection is None:
            return
        if state.users is not None:
            greenlet = 0 if recorder.greenlet is None else recorder.greenlet()
            user = (handling, recorder.thread(), greenlet)
            if user not in state.users:
                state.users.add(user)
                recorder.emit("db.use", w=state.serial, c=state.connection)
        elif handling is not None and handling is not state.user:
            state.user = handling
            recorder.tell(USE, handling.number, state.owner)

    def _share(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Watch the method by which a wrapper is given to other threads, since Django 2.2."""

        def share(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            if state.users is None:
                state.users = set()
                state.user = _ANYBODY
            return original(wrapper, *args, **kwargs)

        return share

    def _is_usable(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def is_usable(state: _State, wrapper: Any, *args: Any, **kwargs: Any) -> Any:
            usable = original(wrapper, *args, **kwargs)
            if state.connection is not None and state.check is not None:
                kind = "db.health" if state.check == "health" else "db.usable"
                self.recorder.emit(kind, w=state.serial, c=state.connection, usable=bool(usable))
            return usable

        return is_usable

    def _checked(self, check: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Watch a method that decides whether to close: what happens inside is not use by a request."""

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
