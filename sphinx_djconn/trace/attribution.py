"""Whether something that happened outside of every request is known not to be done for one.

Facts count what requests did. Something is done for a request if it is done in Django's handler, or by a
thread, greenlet, task or process that the request started. Both can be invisible to the probe: middleware
around Django can answer requests, and a library in C can start threads.
"""

from typing import Final

from sphinx_djconn.trace.entities import Origin
from sphinx_djconn.trace.entity_index import Entities

NEVER_SEEN: Final = "Django's handler never saw the request"
"""Why facts are unknown of a request that was answered outside of Django's handler, or not at all."""

STARTER_OF_PROCESS_UNKNOWN: Final = "who started a process of the server is not known"
STARTER_OF_THREAD_UNKNOWN: Final = "who started a thread of the server is not known"


def why_unseen(entities: Entities) -> str | None:
    """Return why Django's handler did not see all requests; ``None`` if it saw all of them."""
    if all(request.is_seen for request in entities.requests.values()):
        return None
    if not any(process.django for process in entities.processes.values()):
        return "no process of the server reported that it runs Django"
    return NEVER_SEEN


def why_unattributed(entities: Entities, origin: Origin | None) -> str | None:
    """Return why it isn't known whether something was done for a request.

    ``origin`` is where something happened outside of every request. Returns ``None`` if it is known that it was
    for no request: it happened before the first request was sent, or in what the server itself started.
    """
    if origin is None or entities.first_sent is None or origin.at < entities.first_sent:
        return None
    if entities.first_unseen is not None and entities.first_unseen < origin.at:
        return why_unseen(entities)
    if entities.process(origin.thread[0]).starter_unknown:
        return STARTER_OF_PROCESS_UNKNOWN
    if origin.owner in entities.owners_with_requests:
        return None
    if origin.greenlet is not None:
        starter_unknown = entities.greenlets[origin.greenlet].starter_unknown
    else:
        thread = entities.threads.get(origin.thread)
        starter_unknown = thread is not None and thread.starter_unknown
    return STARTER_OF_THREAD_UNKNOWN if starter_unknown else None
