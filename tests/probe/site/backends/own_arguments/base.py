from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def ensure_connection(self, *, patient=False):
        super().ensure_connection()

    def close_if_unusable_or_obsolete(self, *reasons, **more):
        super().close_if_unusable_or_obsolete()

    def cursor(self):
        self.close_if_unusable_or_obsolete("because", of=self)
        self.ensure_connection(patient=True)
        return super().cursor()
