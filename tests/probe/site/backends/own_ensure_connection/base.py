from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def ensure_connection(self):
        if self.connection is None:
            self.close_at = 0
            self.connection = self.get_new_connection(self.get_connection_params())
            self.set_autocommit(self.settings_dict["AUTOCOMMIT"])
