"""The databases of a run: SQLite files of its own, or databases on a server."""
