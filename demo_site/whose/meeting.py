"""Requests that wait for each other inside a view: surely at the same time, and not by luck.

Only those that one process handles can meet. Who waits in vain goes on alone.
"""

import asyncio
import threading
from concurrent import futures

PATIENCE = 4  # seconds

_lock = threading.Lock()
_gathering = {}


class _Party:
    def __init__(self, size):
        self.size = size
        self.users = []
        self.full = futures.Future()


def meet(user, size):
    """Wait until ``size`` requests are here, and return the users of the others."""
    party = _join(user, size)
    futures.wait([party.full], PATIENCE)
    return _others(party, user)


async def meet_async(user, size):
    """Do the same, while the event loop goes on with other requests."""
    party = _join(user, size)
    await asyncio.wait([asyncio.wrap_future(party.full)], timeout=PATIENCE)
    return _others(party, user)


def _join(user, size):
    with _lock:
        party = _gathering.setdefault(size, _Party(size))
        party.users.append(user)
        if len(party.users) == size:
            del _gathering[size]
            party.full.set_result(None)
    return party


def _others(party, user):
    with _lock:
        users = list(party.users)
        users.remove(user)
        if party.full.done():
            return users
        # Nobody has come in time; and nobody shall meet whoever has gone.
        party.users.remove(user)
        return []
