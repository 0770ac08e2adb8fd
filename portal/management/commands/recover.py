"""`manage.py recover`: what should be running and is not, is put back on the queue; what is kept for a day goes after it."""

from __future__ import annotations

import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from portal.core.idempotency import forget_old_keys
from portal.core.incoming import forget_old_uploads
from portal.health import scheduler_lives
from updates.services.portal_follow import follow
from updates.services.recover import recover

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Puts back on the queue what should be running and is not. Safe at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=int, metavar="SECONDS", help="again and again, until SIGTERM"
        )

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        if not options["every"]:
            found = recover()
            forget_old_keys()
            forget_old_uploads()
            self.stdout.write(f"{len(found)} upgrades were put back on the queue.")
            return
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            self._recover_once()
            scheduler_lives(seconds=3 * options["every"] + 10)
            self._follow_until(time.monotonic() + options["every"], stopped)

    def _follow_until(self, end: float, stopped: threading.Event) -> None:
        """In between it hears what the portal's watchdog does, if there is one: people are watching that."""
        while (left := end - time.monotonic()) > 0:
            if stopped.wait(min(left, settings.FOLLOW_SECONDS)):
                return
            try:
                follow()
            except DatabaseError:
                close_old_connections()
                log.warning("database does not answer; following later", exc_info=True)
            except OSError:
                log.warning("a file cannot be written; following later", exc_info=True)

    def _recover_once(self) -> None:
        """A database that is away for a while, or a disk that is full, does not end the loop: it is what recovering is for."""
        close_old_connections()
        try:
            recover()
            forget_old_keys()
            forget_old_uploads()
        except DatabaseError:
            log.warning("database does not answer; trying again later", exc_info=True)
        except OSError:
            log.warning("a file cannot be written; trying again later", exc_info=True)
