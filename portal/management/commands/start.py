"""`manage.py start web|worker|scheduler`: one program of the portal, for a supervisor that is not ours, such as Docker.

The same programs as `manage.py up` supervises. This process becomes the program: who stops it, stops that.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any, Final, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from portal.health import is_migrated
from portal.management import first_start
from portal.settings.environment import BASE_DIR
from portal.supervisor import programs
from portal.supervisor.errors import CannotStart
from portal.supervisor.program import Program

PROGRAMS: Final = ("web", "worker", "scheduler")
POLL_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 600.0
"""A large database takes its time to be migrated. After that the supervisor may try again."""


class Command(BaseCommand):
    help = (
        "Becomes one program of the portal. The web server brings the database to this version first; "
        "the others wait until that is done."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("program", choices=PROGRAMS)
        parser.add_argument("--host", default="127.0.0.1", help="address that web listens on")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        name = options["program"]
        if name == "web":
            self._prepare()
        else:
            self._await_migrations()
        program = _program(name, host=options["host"], port=options["port"])
        connections.close_all()
        self._say(f"{name}: starting")
        os.chdir(BASE_DIR)
        os.execv(program.command[0], program.command)  # noqa: S606 - becoming it is the point

    def _prepare(self) -> None:
        try:
            first_start.refuse_missing_database()
        except CannotStart as error:
            raise CommandError(str(error)) from None
        first_start.migrate()
        first_start.make_static_folder()
        password = first_start.make_admin()
        if password:
            self._say(f"Made the user {first_start.ADMIN} with the password {password}")
            self._say("This is the only time that it is shown.")

    def _await_migrations(self) -> None:
        """The database answers and has all tables of this version, or CommandError: somebody else's job is not done."""
        until = time.monotonic() + PATIENCE_SECONDS
        # Alone in its container it is process 1, which the kernel spares every signal that has no handler. `exec` drops it.
        signal.signal(signal.SIGTERM, _end)
        self._say("waiting for the database to be of this version")
        while not _is_ready():
            if time.monotonic() > until:
                raise CommandError(
                    f"The database was not brought to this version within {PATIENCE_SECONDS:.0f} seconds: "
                    "look at the web server's log."
                )
            time.sleep(POLL_SECONDS)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _end(*_signal: object) -> NoReturn:
    sys.exit(0)


def _is_ready() -> bool:
    try:
        return is_migrated()
    except DatabaseError:
        connections.close_all()
        return False


def _program(name: str, *, host: str, port: int) -> Program:
    if name == "web":
        return programs.web(host=host, port=port)
    if name == "worker":
        return programs.worker(1, folder=BASE_DIR)
    return programs.scheduler(every_seconds=settings.RECOVER_SECONDS, folder=BASE_DIR)
