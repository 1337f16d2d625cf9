"""A backend whose connections break on request."""

broken = set()
"""Aliases of databases whose connection is not usable any more."""
