from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
