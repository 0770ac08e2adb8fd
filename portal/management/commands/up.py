"""`manage.py up`: the whole portal on this machine, as one supervised group."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from redis import Redis, RedisError

from portal.management import first_start
from portal.settings.environment import BASE_DIR, VAR_DIR
from portal.supervisor import ports, programs
from portal.supervisor.certificate import Certificate, own_certificate
from portal.supervisor.errors import CannotStart
from portal.supervisor.group import Group
from portal.supervisor.lock import only_group_in
from portal.supervisor.program import Program
from portal.supervisor.question import StopQuestion
from portal.supervisor.redis_server import redis_server
from updates.machine import ACTIVE
from updates.models import Upgrade

REDIS_SECONDS = 5


class Command(BaseCommand):
    help = (
        "Starts web, workers, scheduler and Redis, and keeps them running until Ctrl-C or SIGTERM."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=2, help="upgrades carried out at once")
        parser.add_argument(
            "--tls",
            action="store_true",
            help="speak TLS, with a certificate made here: for a trial with devices that pull",
        )

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        host, port, workers = options["host"], options["port"], options["workers"]
        if workers < 1:
            raise CommandError("At least one worker is needed.")
        try:
            with only_group_in(VAR_DIR) as lock:
                ports.refuse_taken(host, port)
                queue = self._queue()
                self._prepare()
                certificate = self._certificate(host) if options["tls"] else None
                web = programs.web(host=host, port=port, certificate=certificate)
                url = ports.url(host, port, tls=certificate is not None)
                self._run(self._ranks(queue, web, workers), lock, _ready(url, certificate))
        except CannotStart as error:
            raise CommandError(str(error)) from None

    def _queue(self) -> list[Program]:
        """The Redis server to start; none when REDIS_URL names one that runs."""
        if settings.OWN_REDIS_SOCKET is not None:
            return [redis_server(settings.OWN_REDIS_SOCKET)]
        try:
            with closing(Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS)) as redis:
                redis.ping()
        except RedisError:
            raise CannotStart("The Redis that REDIS_URL names does not answer.") from None
        return []

    def _prepare(self) -> None:
        first_start.refuse_missing_database()
        first_start.migrate()
        first_start.make_static_folder()
        first_start.register_this_machine(Path(settings.LOCALHOST_ROOT))
        password = first_start.make_admin()
        connections.close_all()  # none is to be held, or inherited, from here on
        if password:
            self._say(
                f"Made the user {first_start.ADMIN} with the password {password}\n"
                "This is the only time that it is shown."
            )

    def _certificate(self, host: str) -> Certificate:
        """For every name under which the portal answers."""
        return own_certificate(VAR_DIR / "tls", hosts=[host, *settings.ALLOWED_HOSTS])

    def _ranks(self, queue: list[Program], web: Program, workers: int) -> list[list[Program]]:
        folder = BASE_DIR
        ranks = [
            queue,
            [web],
            [programs.worker(number, folder=folder) for number in range(1, workers + 1)],
            [programs.scheduler(every_seconds=settings.RECOVER_SECONDS, folder=folder)],
        ]
        return [rank for rank in ranks if rank]

    def _run(self, ranks: list[list[Program]], lock: int, ready: str) -> None:
        group = Group(
            ranks,
            folder=BASE_DIR,
            inherited=[lock],
            write=_write,
            on_ready=lambda: self._say(ready),
            question=StopQuestion(_why_not_to_stop),
        )
        group.run()
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(f"\n{text}\n")
        self.stdout.flush()


def _ready(url: str, certificate: Certificate | None) -> str:
    words = [f"Fleetwright is ready: {url}", "Ctrl-C stops it."]
    if certificate is not None:
        words.insert(1, f"Devices trust it by this certificate: {certificate.certificate}")
    return "\n".join(words)


def _write(name: str, line: str) -> None:
    sys.stdout.write(f"{name:<10}| {line}\n")
    sys.stdout.flush()


def _why_not_to_stop() -> str | None:
    try:
        running = Upgrade.objects.filter(state__in=ACTIVE).count()
    except DatabaseError:
        return None
    finally:
        connections.close_all()
    if running == 0:
        return None
    what = "1 upgrade is" if running == 1 else f"{running} upgrades are"
    return f"{what} running. Workers will hand them over; they go on at the next start."
