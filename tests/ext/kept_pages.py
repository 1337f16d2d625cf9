"""Pages with a scenario, for tests that build them several times."""

ONE = """
    One
    ===

    .. djconn:scenario:: kept
       :conn-max-age: none

       browser: GET / as first
       browser: GET / as second

    .. djconn:claim:: one-thread
       :in: kept
       :expect: first.thread == second.thread

       One thread.
"""

SHOWING = """
    Showing
    =======

    There were :djconn:fact:`kept threads` threads, see :djconn:claim:`one-thread`.
"""
