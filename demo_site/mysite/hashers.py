"""How the demo site hashes passwords: too fast to be safe, and always in the same way."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class DemoPasswordHasher(PBKDF2PasswordHasher):
    """Django's own hasher, with a number of iterations that does not grow with each release.

    A hash with another number than the hasher's is replaced at the next login. With Django's own
    hasher, logging in with the fixture's password would write to the database; here it does not,
    and it takes a millisecond.
    """

    iterations = 1000
