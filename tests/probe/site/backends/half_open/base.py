from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError


class DatabaseWrapper(base.DatabaseWrapper):
    def init_connection_state(self):
        raise OperationalError("the session is there, but it cannot be made ready")
