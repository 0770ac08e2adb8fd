"""The test's own database, as the portal's processes are told of it."""

from __future__ import annotations

import urllib.parse

from django.db import connection


def url() -> str:
    """The DATABASE_URL of the database that this test process uses; there once pytest-django has made it."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    password = urllib.parse.quote(database["PASSWORD"], safe="")
    place = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return f"postgres://{database['USER']}:{password}@{place}"
