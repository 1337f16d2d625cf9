from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def connect(self):
        self.in_atomic_block = False
        self.savepoint_ids = []
        self.needs_rollback = False
        self.errors_occurred = False
        self.closed_in_transaction = False
        self.close_at = 0
        self.connection = self.get_new_connection(self.get_connection_params())
        self.set_autocommit(self.settings_dict["AUTOCOMMIT"])
