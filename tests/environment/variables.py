"""The environment variables under which the portal's settings are read in tests, and by what the tests start."""

from __future__ import annotations

import os

from tests.environment import postgres
from tests.environment.workdir import workdir

DATABASES = ("sqlite", "postgresql")

missing_database: list[str] = []
"""Why the database that TEST_DATABASE asked for is not there; every test is skipped then."""


def set_variables() -> None:
    """Everything that the portal writes or reaches is this process's own and goes when it ends.

    TEST_DATABASE chooses the database: sqlite (the default) or postgresql.
    """
    folder = workdir()
    os.environ["FLEETWRIGHT_VAR"] = str(folder)
    os.environ["REDIS_URL"] = f"unix://{folder / 'redis' / 'redis.sock'}"
    os.environ["DATABASE_URL"] = _database_url()
    for name in (
        "SECRET_KEY",
        "FIELD_KEYS",
        "ALLOWED_HOSTS",
        "HTTPS",
        "DEBUG",
        "LOG_JSON",
        "STORAGE_URL",
    ):
        os.environ.pop(name, None)


def _database_url() -> str:
    choice = os.environ.get("TEST_DATABASE", "sqlite")
    if choice not in DATABASES:
        raise ValueError(f"TEST_DATABASE is {choice!r}; it may be {' or '.join(DATABASES)}")
    if choice == "postgresql":
        try:
            return postgres.shared_url()
        except postgres.PostgresMissing as error:
            missing_database.append(str(error))
    return f"sqlite:///{workdir() / 'fleetwright.sqlite3'}"
