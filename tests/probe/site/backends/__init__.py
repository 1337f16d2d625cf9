"""Database backends that override what the probe watches."""
