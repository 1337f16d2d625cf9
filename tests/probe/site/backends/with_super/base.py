from django.db.backends.sqlite3 import base


class Middle(base.DatabaseWrapper):
    def connect(self):
        super().connect()

    def close(self):
        super().close()

    def ensure_connection(self):
        super().ensure_connection()


class DatabaseWrapper(Middle):
    def connect(self):
        super().connect()

    def close(self):
        super().close()

    def _close(self):
        super()._close()

    def ensure_connection(self):
        super().ensure_connection()

    def is_usable(self):
        return super().is_usable()

    def close_if_unusable_or_obsolete(self):
        super().close_if_unusable_or_obsolete()
