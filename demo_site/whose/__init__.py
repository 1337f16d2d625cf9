"""Whose request is it? Ways to ask for the current request from anywhere, and views that ask.

Each of the settings in ``mysite/settings_whose_*.py`` installs one of them; the others don't.
"""
