from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError


class DatabaseWrapper(base.DatabaseWrapper):
    def connect(self):
        super().connect()

    def get_new_connection(self, conn_params):
        raise OperationalError("no connection for anybody")
