"""What the names on a page refer to: servers, databases and projects, built in or defined in conf.py."""
