"""Views that each show one behaviour of Django, of its server, or of its database connections."""
