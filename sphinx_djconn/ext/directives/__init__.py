"""The directives. Each parses its page's text and registers what it declares; nothing is run."""
