"""How the portal's database server is dumped and put back. The portal says whose; the commands are written here alone."""

from __future__ import annotations

import re
from typing import Final

from updates.errors import NotCompatible
from updates.plan import DumpPlan

DUMP: Final = "/tmp/fleetwright.dump"  # noqa: S108 - in the database's container, and written there anew each time
USER: Final = "--username="

# $1 user, $2 database, $3 the dump. Made anew, so that nothing stays of what a newer portal had added.
_RESTORE: Final = (
    'dropdb --if-exists --force --username="$1" --maintenance-db=postgres -- "$2" && '
    'createdb --username="$1" --maintenance-db=postgres --template=template0 -- "$2" && '
    'pg_restore --exit-on-error --single-transaction --username="$1" --dbname="$2" -- "$3"'
)
# libpq takes a database's name with `=` or `://` in it for a connection to anywhere.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,62}", re.ASCII)


def postgres_dump(container: str, *, user: str, name: str) -> DumpPlan:
    """The dump of the database `name` that PostgreSQL has in that container."""
    return DumpPlan(
        container=container,
        command=["pg_dump", "--format=custom", f"{USER}{user}", "--", name],
        file=DUMP,
        restore=["sh", "-c", _RESTORE, "sh", user, name, DUMP],
    )


def as_known(dump: DumpPlan) -> DumpPlan:
    """The dump of what that one is of, by commands of ours. NotCompatible when it is none of a database of PostgreSQL."""
    words = dump.command
    if len(words) != 5 or words[0] != "pg_dump" or not str(words[2]).startswith(USER):
        raise NotCompatible(
            "The plan asks for a command beside the portal that is no dump of its database."
        )
    user, name = str(words[2]).removeprefix(USER), str(words[4])
    if not (_NAME.fullmatch(user) and _NAME.fullmatch(name)):
        raise NotCompatible("The plan names a database, or a user of it, as none is named.")
    return postgres_dump(dump.container, user=user, name=name)
