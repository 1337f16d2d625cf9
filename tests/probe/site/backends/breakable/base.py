from django.db.backends.sqlite3 import base

from backends.breakable import broken


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self):
        return self.alias not in broken

    def get_new_connection(self, conn_params):
        broken.discard(self.alias)
        return super().get_new_connection(conn_params)
